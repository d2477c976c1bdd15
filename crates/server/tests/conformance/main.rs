//! What a server promises, it promises on every engine and every transport: one suite, mounted on
//! each cell. A module is a promise; `tests/support` has the lists of engines and transports.

#[path = "../support/mod.rs"]
mod support;

mod addresses_and_counters_agree;
mod bytes_come_back;
mod connections_end_whole;
mod datagrams_stay_whole;
mod guards_recover;
mod handlers_have_company;
mod hooks_run_in_order;
mod messages_stay_whole;
mod one_server_has_many_listeners;
mod posts_arrive;
mod python_peers_agree;
mod requests_are_verified;
mod servers_stop_when_asked;
mod socketserver_cases;
mod stale_paths_are_taken_over;
