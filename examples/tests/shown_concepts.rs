//! The programs that show a concept show what the chapters say of it.

mod support;

use support::{Ours, Program};

/// What a program prints, from beginning to end.
fn printed(name: &str, args: &[&str]) -> String {
    let mut command = Ours.command(name);
    command.args(args);
    let mut program = Program::start(command);
    assert!(program.end().success(), "{}", program.told());
    program.out.whole()
}

#[test]
fn connections_of_one_listener_differ_in_the_port_of_the_client() {
    let printed = printed("four_addresses", &["127.0.0.1", "0"]);
    let ports = |line: &str| -> Vec<String> {
        line.split("127.0.0.1:")
            .skip(1)
            .map(|rest| rest.trim_end_matches(", you are ").into())
            .collect()
    };
    let lines: Vec<Vec<String>> = printed.lines().map(ports).collect();
    let [_, _, client1, server1, _, client2, server2] = &lines[..] else { panic!("{printed}") };
    assert_eq!([&client1[0], &client1[1]], [&server1[1], &server1[0]], "{printed}");
    assert_eq!([&client2[0], &client2[1]], [&server2[1], &server2[0]], "{printed}");
    assert_eq!(server1[0], server2[0], "the same at the server: {printed}");
    assert_ne!(client1[0], client2[0], "another client: {printed}");
}

#[test]
fn the_active_side_waits_and_the_passive_side_does_not() {
    let printed = printed("states", &[]);
    let states: Vec<Vec<&str>> = printed
        .lines()
        .skip(2)
        .map(|line| line.split_whitespace().rev().take(2).collect())
        .collect();
    let expected = [
        ["ESTABLISHED", "ESTABLISHED"],
        ["ESTABLISHED", "ESTABLISHED"],
        ["CLOSE_WAIT", "FIN_WAIT2"],
        ["-", "TIME_WAIT"],
    ];
    assert_eq!(states, expected, "{printed}");
    assert!(printed.lines().nth(1).is_some_and(|line| line.ends_with(" LISTEN")), "{printed}");
}

#[test]
fn one_more_waits_than_the_backlog_says() {
    for backlog in [0, 1, 5] {
        let expected = format!(
            "listen({backlog}), clients that are connected: {}\n\
             the next one is not refused, it gets no answer\n",
            backlog + 1
        );
        assert_eq!(printed("backlog", &[&backlog.to_string()]), expected);
    }
}

#[test]
fn both_servers_must_want_to_share_the_address() {
    let taken = "Address already in use (os error 98)";
    let expected = format!(
        "old server       new server   the restart\n\
         no reuse         no reuse     {taken}\n\
         no reuse         reuse        {taken}\n\
         reuse            no reuse     {taken}\n\
         reuse            reuse        bound\n\
         reuse, listening reuse        {taken}\n"
    );
    // A kernel that has too many of them already keeps no more, and says how often.
    let mut shown = String::new();
    let mut overflows = None;
    for _ in 0..20 {
        if overflows == Some(time_wait_overflows()) {
            break;
        }
        overflows = Some(time_wait_overflows());
        shown = printed("time_wait", &[]);
    }
    assert_eq!(shown, expected);
}

/// How often a connection was not kept in TIME_WAIT for want of room. `/proc/net/netstat` has lines
/// in pairs: names, numbers.
fn time_wait_overflows() -> u64 {
    let counters = std::fs::read_to_string("/proc/net/netstat").unwrap();
    let lines: Vec<_> = counters.lines().map(|line| line.split(' ')).collect();
    let mut pairs = lines.chunks(2).flat_map(|pair| pair[0].clone().zip(pair[1].clone()));
    let (_, count) = pairs.find(|(name, _)| *name == "TCPTimeWaitOverflow").unwrap();
    count.parse().unwrap()
}

#[test]
fn what_two_clients_run_on_is_the_engine_s_business() {
    let second = |process: &str, thread: &str| {
        format!("the second client has {process} process\nthe second client has {thread} thread\n")
    };
    for engine in switchboard::Engine::ALL {
        let expected = match engine.name() {
            "serial" => {
                "the second client waits; the first one leaves\n".to_owned()
                    + &second("the same", "the same")
            }
            "threads" => second("the same", "another"),
            "processes" => second("another", "another"),
            _ => second("the same", "the same"),
        };
        assert_eq!(printed("whose_turn", &[engine.name()]), expected, "{engine:?}");
    }
}
