// Errors of class PL are made for clients: an unknown namespace, an unknown event, pulse.fail in a handler. A client gets as many of
// them as it asks for, so they are kept out of the server's log, where they would push out what matters. Whoever looks for one sets
// log_min_messages to debug1.
#include "handle/quiet.hpp"

#include "handle/codes.hpp"

namespace pulse::handle {

static emit_log_hook_type previous = nullptr;

static void on_log(ErrorData *error) {
    if (previous != nullptr) previous(error);
    if (error->elevel == ERROR && is_client_error(error->sqlerrcode) && log_min_messages > DEBUG1) error->output_to_server = false;
}

void init_quiet() {
    previous = emit_log_hook;
    emit_log_hook = on_log;
}

}  // namespace pulse::handle
