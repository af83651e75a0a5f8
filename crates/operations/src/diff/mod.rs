//! What two states differ in.
//!
//! A comparison reads each state twice, so that two of a hundred megabytes need little memory. The
//! first pass keeps an address, a hash and a place of each instance, and learns what is sensitive.
//! The second pass reads only the instances whose hashes differ, one pair at a time.

mod attributes;
mod index;
mod instances;
mod moves;
mod names;
mod options;
mod outputs;
mod report;
mod rise;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use remote_state_core::{Result, StateHeader};

pub use self::options::{DiffOptions, Only};
pub use self::report::{
    AttributeChange, AttributeChangeKind, Change, OutputChange, ProviderChange, Report,
    ResourceChange, SameBy, Summary,
};
use crate::diff::index::{Entry, Order};
use crate::diff::instances::Difference;
use crate::diff::moves::By;
use crate::diff::names::Name;
use crate::diff::scan::{Scanned, Shared};
pub use crate::json::ArrayOrder;
use crate::json::{Json, JsonHasher};
use crate::masking::{Marks, Masking, attributes};
use crate::parsed::parse;
use crate::pattern::Pattern;
use crate::text::StateText;

/// Two states after the first pass.
#[derive(Debug)]
pub struct Comparison<'t> {
    a: Scanned<'t>,
    b: Scanned<'t>,
    shared: Shared,
    order: ArrayOrder,
    address: Option<Pattern>,
}

impl<'t> Comparison<'t> {
    /// Reads both states.
    ///
    /// # Errors
    /// `InvalidState` if one of them is no state, with the context `of` = `first` or `second`;
    /// `Local` if its bytes cannot be read.
    pub fn new(a: &'t StateText, b: &'t StateText, options: &DiffOptions) -> Result<Self> {
        let mut shared = Shared {
            hasher: JsonHasher::new(options.order),
            masking: Masking::new(options.values),
            ..Shared::default()
        };
        let a = Scanned::scan(a, &mut shared, options);
        let a = a.map_err(|error| error.with_context("state", "the first one"))?;
        let b = Scanned::scan(b, &mut shared, options);
        let b = b.map_err(|error| error.with_context("state", "the second one"))?;
        shared.names.finish();
        Ok(Self { a, b, shared, order: options.order, address: options.address.clone() })
    }

    /// Returns the headers of both states.
    pub fn headers(&self) -> (&StateHeader, &StateHeader) {
        (&self.a.header, &self.b.header)
    }

    /// Returns whether one of the states is encrypted by OpenTofu, so that only the headers can be
    /// compared.
    pub fn is_encrypted(&self) -> bool {
        self.a.is_encrypted() || self.b.is_encrypted()
    }

    /// Compares, and hands over each difference as it is found. Nothing is found in encrypted
    /// states.
    ///
    /// # Errors
    /// Any of `report`; `Local` if the bytes of a state can no longer be read.
    pub fn run<R: Report>(self, report: &mut R) -> Result<Summary, R::Error> {
        let mut summary = Summary::default();
        if self.is_encrypted() {
            return Ok(summary);
        }
        let providers = self.resources(report, &mut summary)?;
        let names: BTreeSet<&String> = self.a.outputs.keys().chain(self.b.outputs.keys()).collect();
        for name in names {
            let hash = |state: &Scanned<'_>| state.outputs.get(name).map(|(hash, _)| *hash);
            if hash(&self.a) == hash(&self.b) {
                continue;
            }
            if let Some(change) = outputs::compare(&self.shared, (&self.a, &self.b), name)? {
                summary.outputs += 1;
                report.output(&change)?;
            }
        }
        for ((before, after), instances) in providers {
            summary.providers += 1;
            let text = |name: Name| self.shared.names.text(name).to_owned();
            report.provider(&ProviderChange {
                before: text(before),
                after: text(after),
                instances,
            })?;
        }
        Ok(summary)
    }

    /// Compares the instances, and returns how many have another provider, by the pair.
    fn resources<R: Report>(
        &self,
        report: &mut R,
        summary: &mut Summary,
    ) -> Result<Providers, R::Error> {
        let order = Order::new(&self.shared.names);
        let mut providers = BTreeMap::new();
        let mut pairs = self.pairs(&order, summary, &mut providers);
        let only = |pairs: &[Pair], of_a: bool| -> Vec<u32> {
            let number = |pair: &Pair| match pair {
                (Some(number), None) if of_a => Some(*number),
                (None, Some(number)) if !of_a => Some(*number),
                _ => None,
            };
            pairs.iter().filter_map(number).collect()
        };
        let (removed, added) = (only(&pairs, true), only(&pairs, false));
        let moves = moves::find(&self.shared, (&self.a, &removed), (&self.b, &added))?;
        let left: HashSet<u32> = moves.values().map(|(from, _)| *from).collect();
        pairs.retain(|pair| !matches!(pair, (Some(number), None) if left.contains(number)));
        for pair in pairs {
            let (a, b, by) = match pair {
                (None, Some(after)) => match moves.get(&after) {
                    Some((from, by)) => (Some(*from), Some(after), Some(*by)),
                    None => (None, Some(after), None),
                },
                (a, b) => (a, b, None),
            };
            let entry = |state: &Scanned<'_>, number: Option<u32>| {
                state.entries.get(number? as usize).copied()
            };
            let (a, b) = (entry(&self.a, a), entry(&self.b, b));
            // A move is asked for by either address.
            if !a.is_some_and(|a| self.is_asked_for(&a))
                && !b.is_some_and(|b| self.is_asked_for(&b))
            {
                continue;
            }
            if let (Some(a), Some(b)) = (a, b) {
                self.count_providers(&mut providers, &a, &b);
            }
            match self.compare(a, b, by)? {
                Some(change) => {
                    summary.count(change.change);
                    report.resource(&change)?;
                }
                None => summary.unchanged += 1,
            }
        }
        Ok(providers)
    }

    /// Pairs the instances with one address, in the order of the addresses, and counts those that
    /// are the same.
    fn pairs(&self, order: &Order, summary: &mut Summary, providers: &mut Providers) -> Vec<Pair> {
        let sorted = |entries: &[Entry]| {
            let mut numbers: Vec<u32> = (0..).take(entries.len()).collect();
            numbers.sort_by(|one, other| {
                let entry = |number: &u32| entries.get(*number as usize);
                match (entry(one), entry(other)) {
                    (Some(one), Some(other)) => order.compare(one, other),
                    _ => std::cmp::Ordering::Equal,
                }
            });
            numbers
        };
        let (a, b) = (sorted(&self.a.entries), sorted(&self.b.entries));
        let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
        let mut pairs = Vec::new();
        loop {
            let entry = |state: &Scanned<'_>, number: Option<&u32>| {
                state.entries.get(*number? as usize).copied()
            };
            let next = (entry(&self.a, a.peek()), entry(&self.b, b.peek()));
            let compared = match &next {
                (None, None) => return pairs,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(one), Some(other)) => order.compare(one, other),
            };
            let pair = (a.next_if(|_| compared.is_le()), b.next_if(|_| compared.is_ge()));
            match (pair, next) {
                // Most are the same: nothing more has to be known of them.
                ((Some(_), Some(_)), (Some(one), Some(other))) if one.equals(&other) => {
                    if self.is_asked_for(&one) {
                        self.count_providers(providers, &one, &other);
                        summary.unchanged += 1;
                    }
                }
                (pair, _) => pairs.push(pair),
            }
        }
    }

    fn count_providers(&self, providers: &mut Providers, a: &Entry, b: &Entry) {
        let provider = |entry: &Entry| entry.group(&self.shared.names).provider;
        let pair = (provider(a), provider(b));
        if pair.0 != pair.1 {
            *providers.entry(pair).or_insert(0) += 1;
        }
    }

    fn is_asked_for(&self, entry: &Entry) -> bool {
        let covers =
            |pattern: &Pattern| pattern.covers(&entry.address(&self.shared.names).to_string());
        self.address.as_ref().is_none_or(covers)
    }

    /// Compares an instance; `None` if it is the same.
    fn compare(
        &self,
        a: Option<Entry>,
        b: Option<Entry>,
        by: Option<By>,
    ) -> Result<Option<ResourceChange>> {
        let names = &self.shared.names;
        let Some(shown) = b.or(a) else { return Ok(None) };
        let mut change = ResourceChange {
            change: Change::Changed,
            address: shown.address(names).to_string(),
            previous_address: None,
            same_by: None,
            kind: names.text(shown.group(names).kind).to_owned(),
            deposed: shown.deposed(names),
            tainted: None,
            schema_versions: None,
            attributes: Vec::new(),
        };
        let (Some(a), Some(b)) = (a, b) else {
            change.change = match a {
                Some(_) => Change::Removed,
                None if shown.is_deposed() => Change::Deposed,
                None => Change::Added,
            };
            return Ok(Some(change));
        };
        let (one, other) = (self.a.read(a.span())?, self.b.read(b.span())?);
        let (one, other) = (parse(&one)?, parse(&other)?);
        let kinds = (names.text(a.group(names).kind), names.text(b.group(names).kind));
        let found = Difference::between(&self.shared, self.order, kinds, (&one, &other));
        change.tainted = found.tainted;
        change.schema_versions = found.schema_versions;
        change.attributes = found.attributes;
        let Some(by) = by else {
            let Some(kind) = found.change else { return Ok(None) };
            change.change = kind;
            return Ok(Some(change));
        };
        change.change = Change::Moved;
        change.previous_address = Some(a.address(names).to_string());
        change.same_by = Some(match by {
            By::Identity => SameBy::Identity,
            By::Attributes => SameBy::Attributes,
            By::Id => {
                let marks = Marks::of_instance(kinds.1, &other);
                let id = attributes(&other).and_then(|all| all.get("id")).unwrap_or(&Json::Null);
                SameBy::Id(self.shared.masking.show(&marks.root().member("id"), id).0)
            }
        });
        Ok(Some(change))
    }
}

/// How many instances have another provider, by the pair of providers.
type Providers = BTreeMap<(Name, Name), u64>;

/// The numbers of an instance in both states.
type Pair = (Option<u32>, Option<u32>);
