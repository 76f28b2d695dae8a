# Programs that `make bench` measures, or measures against: one C file each. Included by the root Makefile.
BENCH_PROGRAMS := list_bench list_bare jsonl_bench
$(BENCH_PROGRAMS:%=$(BUILD)/bench/%): $(BUILD)/bench/%: $(addprefix $(BUILD)/,obj/tests/bench/%.o obj/tests/bench/tool.o libaws.a libbase.a)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@
.PHONY: bench-bins
bench-bins: $(BUILD)/bin/vidbatchd $(BUILD)/bin/vidbatch-emulator $(BENCH_PROGRAMS:%=$(BUILD)/bench/%)
