//! The differences between two values, attribute by attribute.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::diff::report::{AttributeChange, AttributeChangeKind};
use crate::diff::rise::longest_rise;
use crate::json::{ArrayOrder, Json, JsonHasher};
use crate::masking::{Masking, Place, Shown};
use crate::path;

/// The most pairs of elements whose similarity is looked at.
const MOST_COMPARED: usize = 10_000;

/// One of the two values, if it is there, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Side<'j, 'a, 'm> {
    pub(crate) value: Option<&'j Json<'a>>,
    pub(crate) place: Place<'m>,
}

impl<'j, 'a, 'm> Side<'j, 'a, 'm> {
    pub(crate) fn new(value: Option<&'j Json<'a>>, place: Place<'m>) -> Self {
        Self { value: value.filter(|value| !value.is_null()), place }
    }

    fn member(&self, name: &str) -> Self {
        Self::new(self.value.and_then(|value| value.get(name)), self.place.member(name))
    }

    fn names(&self) -> impl Iterator<Item = &'j str> {
        let members = match self.value {
            Some(Json::Object(members)) => Some(members),
            _ => None,
        };
        members.into_iter().flat_map(BTreeMap::keys).map(AsRef::as_ref)
    }
}

/// Compares values, and collects what differs in the order of the paths.
#[derive(Debug)]
pub(crate) struct Comparer<'c> {
    masking: &'c Masking,
    hasher: &'c JsonHasher,
    order: ArrayOrder,
    found: Vec<AttributeChange>,
}

impl<'c> Comparer<'c> {
    pub(crate) fn new(masking: &'c Masking, hasher: &'c JsonHasher, order: ArrayOrder) -> Self {
        Self { masking, hasher, order, found: Vec::new() }
    }

    pub(crate) fn finish(self) -> Vec<AttributeChange> {
        self.found
    }

    /// Compares the values at a path, which is empty for all attributes.
    pub(crate) fn compare(&mut self, path: &str, a: &Side<'_, '_, '_>, b: &Side<'_, '_, '_>) {
        let is_same = match (a.value, b.value) {
            (None, None) => true,
            (Some(a), Some(b)) => self.hasher.hash(a) == self.hasher.hash(b),
            _ => false,
        };
        if is_same {
            return;
        }
        if self.masking.hides_place(&a.place) || self.masking.hides_place(&b.place) {
            return self.push_hidden(path);
        }
        // A text that is hidden elsewhere as a whole is hidden here as a whole too.
        let is_copy = |side: &Side<'_, '_, '_>| match side.value {
            Some(Json::Text(text)) => self.masking.hides_whole(text),
            _ => false,
        };
        if is_copy(a) || is_copy(b) {
            return self.push_hidden(path);
        }
        if let (Some(Json::Text(one)), Some(Json::Text(other))) = (a.value, b.value)
            && let (Some(one), Some(other)) = (Json::parse_inside(one), Json::parse_inside(other))
        {
            let a = Side::new(Some(&one), a.place.inside());
            let b = Side::new(Some(&other), b.place.inside());
            return self.compare(&path::decoded(path), &a, &b);
        }
        if self.hides(a) || self.hides(b) {
            return self.push_hidden(path);
        }
        match (a.value, b.value) {
            (Some(Json::Object(_)), Some(Json::Object(_))) => {
                let names: BTreeSet<_> = a.names().chain(b.names()).collect();
                for name in names {
                    self.compare(&path::member(path, name), &a.member(name), &b.member(name));
                }
            }
            (Some(Json::Array(one)), Some(Json::Array(other))) => {
                self.compare_arrays(path, (one, &a.place), (other, &b.place));
            }
            _ => self.push(path, a, b),
        }
    }

    /// Compares arrays: equal elements belong together wherever they are, since sets are arrays
    /// here. The others are compared where they are between the same neighbours, then where they
    /// are alike.
    fn compare_arrays(
        &mut self,
        path: &str,
        (one, one_place): (&[Json<'_>], &Place<'_>),
        (other, other_place): (&[Json<'_>], &Place<'_>),
    ) {
        let matched = Matched::new(self.hasher, one, other);
        if matched.is_reordered && self.order == ArrayOrder::Counts {
            self.found.push(AttributeChange {
                path: path.to_owned(),
                change: AttributeChangeKind::Reordered,
                before: Shown::Omitted,
                after: Shown::Omitted,
                is_sensitive: false,
            });
        }
        for (before, after) in matched.left_over(one, other) {
            let index = after.or(before).unwrap_or_default();
            let a = Side::new(
                before.and_then(|number| one.get(number)),
                one_place.element(before.unwrap_or(index)),
            );
            let b = Side::new(
                after.and_then(|number| other.get(number)),
                other_place.element(after.unwrap_or(index)),
            );
            self.compare(&path::element(path, index), &a, &b);
        }
    }

    fn hides(&self, side: &Side<'_, '_, '_>) -> bool {
        side.value.is_some_and(|value| self.masking.hides(&side.place, value))
    }

    fn push_hidden(&mut self, path: &str) {
        let path = if path.is_empty() { "(attributes)" } else { path };
        self.found.push(AttributeChange {
            path: path.to_owned(),
            change: AttributeChangeKind::Changed,
            before: self.masking.hidden(),
            after: self.masking.hidden(),
            is_sensitive: true,
        });
    }

    fn push(&mut self, path: &str, a: &Side<'_, '_, '_>, b: &Side<'_, '_, '_>) {
        let show = |side: &Side<'_, '_, '_>| match side.value {
            Some(value) => self.masking.show(&side.place, value),
            None => (Shown::Absent, false),
        };
        let ((before, hides_before), (after, hides_after)) = (show(a), show(b));
        let change = match (a.value, b.value) {
            (None, _) => AttributeChangeKind::Added,
            (_, None) => AttributeChangeKind::Removed,
            _ => AttributeChangeKind::Changed,
        };
        let is_sensitive = hides_before || hides_after;
        let path = path.to_owned();
        self.found.push(AttributeChange { path, change, before, after, is_sensitive });
    }
}

/// Which elements of two arrays are equal.
struct Matched {
    /// For each element of an array, whether it has an equal one in the other.
    of_one: Vec<bool>,
    of_other: Vec<bool>,
    /// Pairs of equal elements in the same order in both arrays: a longest common subsequence.
    anchors: Vec<(usize, usize)>,
    is_reordered: bool,
}

impl Matched {
    fn new(hasher: &JsonHasher, one: &[Json<'_>], other: &[Json<'_>]) -> Self {
        let mut places: HashMap<u128, VecDeque<usize>> = HashMap::new();
        for (number, item) in one.iter().enumerate() {
            places.entry(hasher.hash(item)).or_default().push_back(number);
        }
        let mut of_one = vec![false; one.len()];
        let mut of_other = vec![false; other.len()];
        let mut pairs = Vec::new();
        for (number, item) in other.iter().enumerate() {
            let same = places.get_mut(&hasher.hash(item)).and_then(VecDeque::pop_front);
            if let Some(same) = same {
                of_one[same] = true;
                of_other[number] = true;
                pairs.push((same, number));
            }
        }
        let firsts: Vec<_> = pairs.iter().map(|(first, _)| *first).collect();
        let anchors: Vec<_> =
            longest_rise(&firsts).into_iter().filter_map(|at| pairs.get(at).copied()).collect();
        let is_reordered = anchors.len() < pairs.len();
        Self { of_one, of_other, anchors, is_reordered }
    }

    /// Returns the elements without an equal one, those in pairs that are to be compared.
    fn left_over(
        &self,
        one: &[Json<'_>],
        other: &[Json<'_>],
    ) -> Vec<(Option<usize>, Option<usize>)> {
        let left = |matched: &[bool], anchors: Vec<usize>| {
            let mut gaps: BTreeMap<usize, VecDeque<usize>> = BTreeMap::new();
            for (number, _) in matched.iter().enumerate().filter(|(_, is_matched)| !**is_matched) {
                let gap = anchors.partition_point(|anchor| *anchor < number);
                gaps.entry(gap).or_default().push_back(number);
            }
            gaps
        };
        let mut removed = left(&self.of_one, self.anchors.iter().map(|pair| pair.0).collect());
        let mut added = left(&self.of_other, self.anchors.iter().map(|pair| pair.1).collect());
        let mut pairs = Vec::new();
        for (gap, removed) in &mut removed {
            let Some(added) = added.get_mut(gap) else { continue };
            while !removed.is_empty() && !added.is_empty() {
                pairs.push((removed.pop_front(), added.pop_front()));
            }
        }
        let removed: Vec<_> = removed.into_values().flatten().collect();
        let mut added: Vec<_> = added.into_values().flatten().collect();
        let may_compare = removed.len().saturating_mul(added.len()) <= MOST_COMPARED;
        for number in removed {
            let alike = |candidate: &usize| {
                matches!((one.get(number), other.get(*candidate)),
                    (Some(one), Some(other)) if may_compare && are_alike(one, other))
            };
            let found = added.iter().position(alike).map(|at| added.remove(at));
            pairs.push((Some(number), found));
        }
        pairs.extend(added.into_iter().map(|number| (None, Some(number))));
        pairs.sort_by_key(|(before, after)| after.or(*before));
        pairs
    }
}

/// Returns whether two objects agree in at least half of their members.
fn are_alike(one: &Json<'_>, other: &Json<'_>) -> bool {
    let (Json::Object(one), Json::Object(other)) = (one, other) else { return false };
    let equal = one.iter().filter(|(name, value)| other.get(*name) == Some(value)).count();
    equal > 0 && 2 * equal >= one.len().max(other.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masking::{Marks, Values};

    fn changes_in(before: &str, after: &str, order: ArrayOrder) -> Vec<String> {
        let (before, after) = (Json::parse(before).unwrap(), Json::parse(after).unwrap());
        let masking = Masking::new(Values::Masked);
        let hasher = JsonHasher::new(order);
        let marks = Marks::default();
        let mut comparer = Comparer::new(&masking, &hasher, order);
        comparer.compare(
            "",
            &Side::new(Some(&before), marks.root()),
            &Side::new(Some(&after), marks.root()),
        );
        let text = |shown: &Shown| shown.json().map_or("-", |json| json.get()).to_owned();
        let line = |change: &AttributeChange| {
            format!("{} {} {}", change.path, text(&change.before), text(&change.after))
        };
        comparer.finish().iter().map(line).collect()
    }

    fn changes(before: &str, after: &str) -> Vec<String> {
        changes_in(before, after, ArrayOrder::Ignored)
    }

    #[test]
    fn paths_are_spelled_as_in_terraform() {
        assert_eq!(
            changes(
                r#"{"a":{"b":1,"c d":2},"l":[{"x":1}],"gone":"g","null":null}"#,
                r#"{"a":{"b":1.0,"c d":3},"l":[{"x":2}],"new":[1],"no\"":true}"#
            ),
            [
                "a.b 1 1.0",
                "a[\"c d\"] 2 3",
                "gone \"g\" -",
                "l[0].x 1 2",
                "new - [1]",
                "[\"no\\\"\"] - true",
            ]
        );
    }

    #[test]
    fn what_is_written_differently_is_no_change() {
        for (before, after) in [
            (r#"{"a":"\u0041","b":null}"#, r#" { "a" : "A" } "#),
            (r#"{"s":[1,2,{"l":["x","y"]}]}"#, r#"{"s":[{"l":["y","x"]},2,1]}"#),
            (r#"{"policy":"{\"a\":1,\"b\":[1,2]}"}"#, r#"{"policy":"{ \"b\": [2,1], \"a\": 1}"}"#),
        ] {
            assert_eq!(changes(before, after), Vec::<String>::new(), "{before} {after}");
        }
    }

    #[test]
    fn another_order_is_a_change_if_order_counts() {
        let counted = |before: &str, after: &str| changes_in(before, after, ArrayOrder::Counts);
        assert_eq!(counted(r#"{"s":[1,2,3]}"#, r#"{"s":[3,1,2]}"#), ["s - -"]);
        assert_eq!(counted(r#"{"s":[1,2,3]}"#, r#"{"s":[1,2,3]}"#), Vec::<String>::new());
        assert_eq!(counted(r#"{"s":[1,2,3]}"#, r#"{"s":[2,1,4]}"#), ["s - -", "s[2] 3 4"]);
    }

    #[test]
    fn elements_are_compared_between_equal_neighbours() {
        assert_eq!(
            changes(
                r#"{"l":[{"n":"a"},{"n":"b","v":1},{"n":"c"},{"n":"d"}]}"#,
                r#"{"l":[{"n":"new"},{"n":"a"},{"n":"b","v":2},{"n":"c"}]}"#
            ),
            ["l[0] - {\"n\":\"new\"}", "l[2].v 1 2", "l[3] {\"n\":\"d\"} -"]
        );
    }

    #[test]
    fn an_element_of_a_set_that_changed_its_place_is_compared_with_what_is_like_it() {
        assert_eq!(
            changes(
                r#"{"s":[{"port":80,"proto":"tcp","from":"x"},{"port":22,"proto":"tcp","from":"y"},{"port":443,"proto":"tcp","from":"z"}]}"#,
                r#"{"s":[{"port":22,"proto":"tcp","from":"y"},{"port":443,"proto":"tcp","from":"z"},{"port":8080,"proto":"tcp","from":"x"}]}"#
            ),
            ["s[2].port 80 8080"]
        );
    }

    #[test]
    fn texts_that_are_json_are_compared_as_json() {
        assert_eq!(
            changes(
                r#"{"policy":"{\"Statement\":[{\"Action\":\"a\"}]}","t":"[1"}"#,
                r#"{"policy":"{\"Statement\":[{\"Action\":\"b\"}]}","t":"[1]"}"#
            ),
            ["jsondecode(policy).Statement[0].Action \"a\" \"b\"", "t \"[1\" \"[1]\""]
        );
    }

    #[test]
    fn arrays_of_thousands_of_other_elements_take_no_time() {
        let array = |from: usize| {
            let items: Vec<_> = (from..from + 20_000).map(|n| n.to_string()).collect();
            format!("{{\"l\":[{}]}}", items.join(","))
        };
        assert_eq!(changes(&array(0), &array(100_000)).len(), 20_000);
        assert_eq!(
            changes(&array(0), &array(1)),
            ["l[19999] - 20000", "l[0] 0 -"]
                .map(String::from)
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
        );
    }
}
