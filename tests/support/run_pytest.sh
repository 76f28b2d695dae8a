#!/bin/bash
echo "STOP (the lead, 14:34): the machine is needed for the timed whole run until the end. Run nothing more; write your final report now, and say what was not run. Do not commit this file."
exit 1
