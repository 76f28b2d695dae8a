# The stand-in for AWS: one program of all C files in this folder. Included by the root Makefile.
SRC_emulator := $(wildcard tests/emulator/*.c)

$(BUILD)/bin/vidbatch-emulator: $(SRC_emulator:%.c=$(BUILD)/obj/%.o) $(BUILD)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@

-include $(SRC_emulator:%.c=$(BUILD)/obj/%.d)

# What the fuzzing of its signature check needs of it.
$(BUILD)/fuzz/sigv4_check_fuzz: $(BUILD)/obj/tests/emulator/sigv4_check.o $(BUILD)/obj/tests/emulator/util.o
