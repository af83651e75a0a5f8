//! The first pass over a state: what is in it, and what it hides.

use std::collections::BTreeMap;
use std::ops::Range;

use remote_state_core::{
    InstanceReader, Result, StateFormat, StateHeader, StatePart, as_version_4, secret_attributes,
};

use crate::diff::index::{Entry, Pending};
use crate::diff::names::{Name, Names};
use crate::diff::options::{DiffOptions, Only};
use crate::json::{Json, JsonHasher};
use crate::masking::{Masking, attributes};
use crate::parsed::{key, parse};
use crate::text::StateText;

/// A state after the first pass.
#[derive(Debug)]
pub(crate) struct Scanned<'t> {
    text: Text<'t>,
    pub(crate) header: StateHeader,
    /// The instances that are compared, in the order of the state.
    pub(crate) entries: Vec<Entry>,
    /// The hash of each output, and where its bytes are.
    pub(crate) outputs: BTreeMap<String, (u128, Range<u64>)>,
}

/// The bytes that the places are about.
#[derive(Debug)]
enum Text<'t> {
    Given(&'t StateText),
    /// A state of an older format version, rewritten.
    Rewritten(StateText),
}

/// What both scans of a comparison share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) hasher: JsonHasher,
    pub(crate) masking: Masking,
}

impl<'t> Scanned<'t> {
    pub(crate) fn scan(
        text: &'t StateText,
        shared: &mut Shared,
        options: &DiffOptions,
    ) -> Result<Self> {
        let (header, scan) = Scan::run(text, shared, options)?;
        if !matches!(header.format, StateFormat::Plain { version } if version < 4) {
            let Scan { entries, outputs, .. } = scan;
            return Ok(Self { text: Text::Given(text), header, entries, outputs });
        }
        let rewritten = StateText::from(bytes::Bytes::from(as_version_4(&text.whole()?)?));
        let (_, Scan { entries, outputs, .. }) = Scan::run(&rewritten, shared, options)?;
        Ok(Self { text: Text::Rewritten(rewritten), header, entries, outputs })
    }

    /// Reads the text of an instance or an output again.
    pub(crate) fn read(&self, span: Range<u64>) -> Result<String> {
        match &self.text {
            Text::Given(text) => text.span(span),
            Text::Rewritten(text) => text.span(span),
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.header.format == StateFormat::Encrypted
    }
}

struct Scan<'s> {
    shared: &'s mut Shared,
    options: &'s DiffOptions,
    entries: Vec<Entry>,
    outputs: BTreeMap<String, (u128, Range<u64>)>,
    pending: Vec<Pending>,
    /// Instances of types whose provider is known to hide attributes: a type may be known only
    /// after its instances.
    secrets: Vec<(Name, Range<u64>)>,
}

impl<'s> Scan<'s> {
    fn run(
        text: &StateText,
        shared: &'s mut Shared,
        options: &'s DiffOptions,
    ) -> Result<(StateHeader, Self)> {
        let mut scan = Self {
            shared,
            options,
            entries: Vec::new(),
            outputs: BTreeMap::new(),
            pending: Vec::new(),
            secrets: Vec::new(),
        };
        let mut reader = InstanceReader::new();
        text.read(&mut |bytes| reader.feed(bytes, &mut |part| scan.take(part)))?;
        let header = reader.finish()?;
        for (kind, span) in std::mem::take(&mut scan.secrets) {
            let instance = text.span(span)?;
            let kind = scan.shared.names.text(kind);
            scan.shared.masking.learn_instance(kind, &parse(&instance)?);
        }
        Ok((header, scan))
    }

    fn take(&mut self, part: StatePart<'_>) -> Result<()> {
        match part {
            StatePart::Output(name, json, span) => {
                let output = parse(json)?;
                self.shared.masking.learn_output(name, &output);
                let hash = self.shared.hasher.hash(&output);
                if self.options.only != Some(Only::Resources) {
                    let _: Option<_> = self.outputs.insert(name.to_owned(), (hash, span));
                }
            }
            StatePart::ResourcesBegin => {
                self.entries.clear();
                self.pending.clear();
            }
            StatePart::InstancesBegin => self.pending.clear(),
            StatePart::Instance(json, span, _) => {
                let instance = parse(json)?;
                self.shared.masking.learn_instance("", &instance);
                if !instance.is_null() {
                    self.pending.push(pending(&self.shared.hasher, &instance, span));
                }
            }
            StatePart::Resource(head) => {
                let pending = std::mem::take(&mut self.pending);
                if !secret_attributes(&head.kind).is_empty() {
                    let kind = self.shared.names.add(&head.kind);
                    self.secrets.extend(pending.iter().map(|one| (kind, one.span.clone())));
                }
                if self.options.only == Some(Only::Outputs)
                    || (head.is_data() && !self.options.includes_data)
                {
                    return Ok(());
                }
                let names = &mut self.shared.names;
                self.entries.extend(pending.iter().map(|one| Entry::new(names, head, one)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn pending(hasher: &JsonHasher, instance: &Json<'_>, span: Range<u64>) -> Pending {
    Pending {
        key: key(instance),
        deposed: instance.text("deposed").unwrap_or_default().to_owned(),
        hash: hash(hasher, instance),
        span,
    }
}

/// The members of an instance that are compared, besides its attributes.
pub(crate) const COMPARED: [&str; 3] = ["create_before_destroy", "dependencies", "identity"];

/// Returns the hash of all that is compared.
fn hash(hasher: &JsonHasher, instance: &Json<'_>) -> u128 {
    let members = COMPARED.iter().chain(&["status", "schema_version"]);
    let members = members.map(|name| instance.get(name));
    let all = members.chain([attributes(instance)]);
    (0..).zip(all).fold(0, |all: u128, (number, value)| match value {
        None | Some(Json::Null) => all,
        Some(value) => all.wrapping_add(hasher.mix(number, hasher.hash(value))),
    })
}
