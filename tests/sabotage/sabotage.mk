# The service with a saboteur inside (saboteur.h): the same objects, with these calls routed through tests/sabotage.
# Included by the root Makefile.
SABOTAGED := log_context caller_admit pthread_create mem_alloc mem_resize mem_text mem_span \
    PQconnectdbParams db_answer_script db_answer_planned db_answer_prepared db_answer_prepare db_answer_send db_answer_next \
    db_answer_copy_data db_answer_copy_end db_answer_take PQgetCancel PQconninfoParse PQnotifies \
    curl_easy_init curl_easy_setopt curl_easy_perform curl_multi_init curl_multi_add_handle curl_multi_perform curl_multi_poll \
    curl_multi_info_read curl_slist_append curl_global_init curl_url curl_url_set curl_url_get

$(BUILD)/bin/vidbatchd-sabotaged: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/sabotage/*.c)) $(SRC_server:%.c=$(BUILD)/obj/%.o) $(LIBS_TOP)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(SABOTAGED:%=-Wl,--wrap=%) $^ $(LIBS_ALL) -o $@
