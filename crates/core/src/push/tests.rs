use super::*;
use crate::names::LockId;
use crate::state::Refusal;

fn header(serial: u64, lineage: &str, resources: &str) -> StateHeader {
    let text = format!(
        r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","outputs":{{"a":{{}}}},"resources":[{resources}]}}"#
    );
    StateHeader::parse(text.as_bytes()).unwrap()
}

fn gone() -> HeldLock {
    HeldLock::Gone(LockId::new("x"))
}

#[test]
fn under_a_lock_that_is_gone_only_the_very_next_serial_is_accepted() {
    let at_three = header(3, "l", "");
    let check = |new| decide(Some(&at_three), &new, &PushRules::CLIENT, &gone());
    assert_eq!(check(header(4, "l", "")), Ok(Verdict::Write { empties: false }));
    assert!(matches!(check(header(5, "l", "")), Err(PushRefusal::LockGone { .. })));
    // A client sends the stored state again: only a comparison shows whether it is the same.
    assert!(matches!(check(header(3, "l", "")), Ok(Verdict::Compare(Err(_)))));
    assert!(matches!(check(header(4, "m", "")), Err(PushRefusal::Succession(_))));
    assert!(matches!(check(header(4, "", "")), Err(PushRefusal::LockGone { .. })));
    assert!(decide(None, &header(1, "l", ""), &PushRules::CLIENT, &gone()).is_ok());
}

#[test]
fn a_state_may_lose_its_resources_only_where_that_is_allowed() {
    let (full, empty) = (header(1, "l", "{}"), header(2, "l", ""));
    let rules = PushRules::CLIENT.with_may_empty(false);
    assert_eq!(decide(Some(&full), &empty, &rules, &HeldLock::Own), Err(PushRefusal::Emptied));
    let allowed = decide(Some(&full), &empty, &PushRules::CLIENT, &HeldLock::Own);
    assert_eq!(allowed, Ok(Verdict::Write { empties: true }));
    let other_way = decide(Some(&empty), &header(3, "l", "{}"), &rules, &HeldLock::Own);
    assert_eq!(other_way, Ok(Verdict::Write { empties: false }));
}

#[test]
fn states_of_one_serial_are_compared_and_refused_only_if_they_differ() {
    let stored = header(3, "l", "{}");
    for rules in [PushRules::PUSH, PushRules::CLIENT] {
        let verdict = decide(Some(&stored), &header(3, "l", "{}"), &rules, &HeldLock::Own);
        assert!(
            matches!(verdict, Ok(Verdict::Compare(Err(PushRefusal::Succession(_))))),
            "{verdict:?}"
        );
        let older = decide(Some(&stored), &header(2, "l", "{}"), &rules, &HeldLock::Own);
        assert!(
            matches!(older, Err(PushRefusal::Succession(Refusal::LowerSerial { .. }))),
            "{older:?}"
        );
        let other = decide(Some(&stored), &header(3, "m", "{}"), &rules, &HeldLock::Own);
        assert!(
            matches!(other, Err(PushRefusal::Succession(Refusal::OtherLineage { .. }))),
            "{other:?}"
        );
    }
}

#[test]
fn a_wrong_digest_stops_every_writer_but_the_one_that_goes_on_from_there() {
    let stored = header(3, "l", "{}");
    assert!(goes_on_from(&stored, &header(3, "l", "{}"), true));
    assert!(goes_on_from(&stored, &header(4, "l", "{}"), false));
    for (serial, lineage) in [(3, "l"), (5, "l"), (2, "l"), (4, "m")] {
        assert!(
            !goes_on_from(&stored, &header(serial, lineage, "{}"), false),
            "{serial} {lineage}"
        );
    }
}
