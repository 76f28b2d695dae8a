#!/bin/bash
# Made the clips of this folder, once, with ffmpeg 5.1 (Debian 12). Nothing runs this at build or test time.
set -euo pipefail
cd "$(dirname "$0")"

clip() { # clip FILE OPTION...: an encoder that leaves out dates and versions
    local file=$1
    shift
    ffmpeg -nostdin -loglevel error -y "$@" -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$file"
}
h264=(-c:v libx264 -preset veryslow -pix_fmt yuv420p)

clip front.mp4 -f lavfi -i "testsrc2=size=320x240:rate=12:duration=4" "${h264[@]}" -crf 40 -movflags +faststart
clip end.mp4 -f lavfi -i "mandelbrot=size=256x144:rate=10" -t 6 "${h264[@]}" -crf 42
clip SOUND.MP4 -f lavfi -i "smptebars=size=320x180:rate=10:duration=12" -f lavfi -i "sine=frequency=440:duration=12" \
    "${h264[@]}" -crf 36 -c:a aac -b:a 24k -shortest -movflags +faststart
clip long.mov -f lavfi -i "rgbtestsrc=size=192x108:rate=5:duration=61" "${h264[@]}" -crf 40
clip clock.webm -f lavfi -i "testsrc=size=160x120:rate=8:duration=3" -c:v libvpx-vp9 -b:v 60k -deadline good
clip cells.mkv -f lavfi -i "cellauto=size=160x120:rate=8:rule=110:seed=7" -t 5 "${h264[@]}" -crf 40

# The other containers that Nova takes, and files that were never finished or never meant to be: as small as they come.
still=(-f lavfi -i "color=c=teal:size=128x96:rate=25" -t 2 -bf 0 -g 50 -qscale:v 31)
clip media/still.flv "${still[@]}" -c:v flv1
clip media/still.3gp "${still[@]}" -c:v mpeg4
clip media/still.mpg "${still[@]}" -c:v mpeg1video -f mpeg
clip media/stream.mpeg "${still[@]}" -c:v mpeg2video -f mpegts
clip media/still.wmv "${still[@]}" -c:v wmv2
clip media/fragments.mp4 "${still[@]}" -c:v mpeg4 -movflags +frag_keyframe+empty_moov
clip media/live.webm -f lavfi -i "color=c=teal:size=128x96:rate=25" -t 2 -c:v libvpx -b:v 20k -f webm -live 1
