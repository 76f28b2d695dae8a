# Programs of the conformance tests. Included by the root Makefile.
$(BUILD)/conformance/%: $(BUILD)/obj/tests/conformance/%.o $(BUILD)/obj/tests/conformance/store.o $(BUILD)/obj/tests/support/test.o \
                        $(BUILD)/libaws.a $(BUILD)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@

CONFORMANCE := $(patsubst tests/%.c,$(BUILD)/%,tests/conformance/sign.c $(wildcard tests/conformance/*_test.c))
