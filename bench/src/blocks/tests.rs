//! Turns, ratios and verdicts.

use super::*;

#[test]
fn a_block_is_mirrored_and_rotated() {
    assert_eq!(order(3, 0), [0, 1, 2, 2, 1, 0]);
    assert_eq!(order(3, 1), [1, 2, 0, 0, 2, 1]);
    assert_eq!(order(3, 3), order(3, 0));
}

#[test]
fn the_first_takes_part_twice() {
    let names: Vec<_> = entries([("a", 1), ("b", 2)]).into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["a", "a again", "b"]);
}

#[test]
fn ratios_pair_slices_of_one_block() {
    // The machine is three times slower in the second block; the ratio must not see it.
    let blocks = vec![vec![vec![1.0, 3.0], vec![4.0]], vec![vec![6.0], vec![11.0, 13.0]]];
    let ratio = Samples { blocks }.ratio(1, |s| *s).unwrap();
    assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 2.0));
}

#[test]
fn a_block_without_the_reference_has_no_ratio() {
    let samples = Samples { blocks: vec![vec![vec![], vec![1.0]]] };
    assert!(samples.ratio(1, |s| *s).is_none());
    assert_eq!(samples.floor(|s| *s), f64::INFINITY);
}

#[test]
fn a_cell_without_slices_fails_unless_it_is_quick() {
    let mut entries = entries([("a", ()), ("b", ())]);
    let used = Samples { blocks: vec![vec![vec![1.0], vec![1.0], vec![1.0]]] };
    let dropped = Samples { blocks: vec![vec![vec![1.0], vec![], vec![1.0]]] };
    assert!(used.verdict(&entries, false) && dropped.verdict(&entries, true));
    assert!(!dropped.verdict(&entries, false));
    entries[0].disturbed = true;
    assert!(used.verdict(&entries, true) && !used.verdict(&entries, false));
    entries[2].failure = Some("it ended".to_owned());
    assert!(!used.verdict(&entries, true));
}

#[test]
fn a_disturbed_slice_says_by_what() {
    let fault = |others, stolen| Surroundings { others, stolen }.fault();
    assert_eq!(fault(0.05, 0.01), None);
    assert!(fault(0.05, 0.03).unwrap().contains("steal"));
    assert!(fault(0.20, 0.01).unwrap().contains("others"));
}
