//! What the command line means.

use super::*;

fn parse(line: &str) -> Result<Arguments, String> {
    Arguments::parse(line.split_whitespace().map(OsString::from))
}

#[test]
fn a_command_alone_takes_every_default() {
    let parsed = parse("echo").unwrap();
    assert_eq!(parsed.cells, [Family::Echo]);
    assert_eq!((parsed.blocks, parsed.slice), (10, Duration::from_secs(1)));
}

#[test]
fn all_is_every_family_once() {
    let cells = parse("all").unwrap().cells;
    assert_eq!(cells.len(), FAMILIES.len());
    for (name, family) in FAMILIES {
        assert_eq!(parse(name).unwrap().cells, [*family]);
        assert!(cells.contains(family) && HELP.contains(&format!("\n  {name} ")), "{name}");
    }
}

#[test]
fn one_of_two_flags_keeps_the_other_side_of_the_echo_cells() {
    let echoes = |line| parse(line).unwrap().echoes;
    assert_eq!(echoes("echo --connections 7"), [(7, 64)]);
    let larger = [(1, 128), (64, 128), (1000, 128), (10_000, 128)];
    assert_eq!(echoes("echo --size 128"), larger);
    assert!(echoes("echo").contains(&(64, 16384)));
}

#[test]
fn the_sheet_has_its_own_defaults_and_yields_to_flags() {
    let parsed = parse("sheet --blocks 7").unwrap();
    assert_eq!((parsed.blocks, parsed.slice), (7, Duration::from_millis(500)));
    assert!(parsed.cells.contains(&Family::FanOut) && !parsed.cells.contains(&Family::Pair));
    assert!(parsed.without.contains(&"switchboard-serial".to_owned()));
    assert_eq!(parse("sheet --quick").unwrap().blocks, 1);
}

#[test]
fn quick_yields_to_a_flag_wherever_it_stands() {
    for line in ["all --quick --blocks 9", "all --blocks 9 --quick"] {
        let parsed = parse(line).unwrap();
        assert_eq!((parsed.blocks, parsed.starts, parsed.quick), (9, 5, true));
    }
}

#[test]
fn lists_and_repeated_flags_are_kept_in_order() {
    let parsed = parse(
        "echo --connections 1,64 --size 64,16384 \
         --idle 10,20 --reference bare-threads --switchboard-arg --workers --switchboard-arg 1",
    )
    .unwrap();
    assert_eq!(parsed.echoes, [(1, 64), (1, 16384), (64, 64), (64, 16384)]);
    assert_eq!((parsed.idle, parsed.reference.as_str()), (vec![10, 20], "bare-threads"));
    assert_eq!(parsed.switchboard_arguments, ["--workers", "1"]);
}

#[test]
fn durations_need_a_unit() {
    assert_eq!(duration("--slice", "250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration("--slice", "1m"), Ok(Duration::from_secs(60)));
    for wrong in ["2", "2h", "ms", "-1s", "0s", ""] {
        assert!(duration("--slice", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (line, named) in [
        ("", "command"),
        ("fly", "fly"),
        ("echo --blocks", "--blocks"),
        ("echo --blocks 0", "--blocks"),
        ("echo --connections 1,x", "x"),
        ("echo --colour", "--colour"),
    ] {
        assert!(parse(line).unwrap_err().contains(named), "{line}");
    }
}
