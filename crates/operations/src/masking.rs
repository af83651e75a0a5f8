//! What is sensitive in a state, and how it is kept out of answers.
//!
//! A state marks attributes as sensitive, and that is not enough: a copy of a marked value in
//! another attribute carries no mark, and providers' own marks are recorded only since Terraform
//! 1.8. So a value is hidden
//!
//! - at and below a path that the state marks, and in an output that is marked;
//! - in an attribute that the provider of its type is known to hide;
//! - in an attribute or a member whose name is one of secrets, such as `password` or `token`;
//! - wherever a text equals a hidden one, or contains it.
//!
//! Copies are recognised by hashes with random keys, so hidden values are not collected in memory.

mod copies;
mod marks;

use std::borrow::Cow;

use serde_json::value::RawValue;

use self::copies::{Copies, Reach};
pub(crate) use self::marks::{Marks, Place};
use crate::json::Json;

/// What stands for a hidden part of a value that is shown otherwise.
const SENSITIVE: &str = "(sensitive)";

/// The shortest name of a member that may be a copy of a secret, in bytes.
const LONG_NAME: usize = 8;

/// Which values an answer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// All but sensitive ones.
    #[default]
    Masked,
    /// Sensitive ones too.
    All,
    /// None: paths alone. Below the path of a sensitive value there are none.
    None,
}

/// A value as an answer may show it.
#[derive(Clone, Debug)]
pub enum Shown {
    /// There is none.
    Absent,
    /// It is sensitive.
    Hidden,
    /// The answer shows no values.
    Omitted,
    /// The value as JSON on one line, with numbers as they were written.
    Value(Box<RawValue>),
}

impl Shown {
    /// Returns the JSON of a value that may be shown.
    pub fn json(&self) -> Option<&RawValue> {
        match self {
            Self::Value(json) => Some(json),
            Self::Absent | Self::Hidden | Self::Omitted => None,
        }
    }
}

/// Decides what of a state is shown. It has to know all states of an answer before the first value
/// is shown, since a copy may be in one state and the marked value in another.
#[derive(Debug, Default)]
pub(crate) struct Masking {
    values: Values,
    copies: Copies,
}

impl Masking {
    pub(crate) fn new(values: Values) -> Self {
        Self { values, copies: Copies::default() }
    }

    pub(crate) fn values(&self) -> Values {
        self.values
    }

    /// Returns whether anything is hidden. Where no values are shown, the paths below a sensitive
    /// one are hidden all the same.
    fn is_masking(&self) -> bool {
        self.values != Values::All
    }

    /// Returns what stands for a hidden value.
    pub(crate) fn hidden(&self) -> Shown {
        match self.values {
            Values::None => Shown::Omitted,
            Values::Masked | Values::All => Shown::Hidden,
        }
    }

    /// Learns what an instance hides.
    pub(crate) fn learn_instance(&mut self, kind: &str, instance: &Json<'_>) {
        if self.is_masking() {
            let marks = Marks::of_instance(kind, instance);
            if let Some(attributes) = attributes(instance) {
                self.learn(&marks.root(), attributes, Reach::Inside);
            }
        }
    }

    /// Learns what an output hides.
    pub(crate) fn learn_output(&mut self, name: &str, output: &Json<'_>) {
        if self.is_masking()
            && let Some(value) = output.get("value")
        {
            let reach = match value {
                // Of a whole resource most is no secret: its region is in many other texts.
                Json::Array(_) | Json::Object(_) => Reach::Equal,
                _ => Reach::Inside,
            };
            self.learn(&Marks::of_output(output).root().member(name), value, reach);
        }
    }

    /// Learns a text that is sensitive wherever it is.
    pub(crate) fn learn_text(&mut self, text: &str) {
        self.copies.hide(text, Reach::Inside);
    }

    fn learn(&mut self, place: &Place<'_>, value: &Json<'_>, reach: Reach) {
        match value {
            Json::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.learn(&place.element(number), item, reach);
                }
            }
            Json::Object(members) => {
                for (name, value) in members {
                    self.learn(&place.member(name), value, reach);
                }
            }
            Json::Text(text) => {
                if place.is_hidden() {
                    let reach = if place.has_secret_name() { Reach::Inside } else { reach };
                    self.copies.hide(text, reach);
                }
                if let Some(inner) = Json::parse_inside(text) {
                    self.learn(&place.inside(), &inner, reach);
                }
            }
            // A number with a name of secrets, such as `token_ttl`, equals many others.
            Json::Number(number) if place.is_marked() => self.copies.hide(number, reach),
            Json::Number(_) | Json::Bool(_) | Json::Null => {}
        }
    }

    /// Returns whether a place itself is hidden, whatever is there.
    pub(crate) fn hides_place(&self, place: &Place<'_>) -> bool {
        self.is_masking() && place.is_hidden()
    }

    /// Returns whether the value at a place is hidden as a whole.
    pub(crate) fn hides(&self, place: &Place<'_>, value: &Json<'_>) -> bool {
        self.is_masking()
            && (place.is_hidden()
                || match value {
                    Json::Text(text) => self.hides_text(text),
                    Json::Number(number) => self.copies.include(number),
                    // The names of members would be shown in paths. Those of attributes are the
                    // provider's, and others are short names by accident.
                    Json::Object(members) if !place.is_root() => {
                        members.keys().any(|name| name.len() >= LONG_NAME && self.hides_text(name))
                    }
                    Json::Object(_) => false,
                    Json::Array(_) | Json::Bool(_) | Json::Null => false,
                })
    }

    /// Returns whether a text equals a hidden one.
    pub(crate) fn hides_whole(&self, text: &str) -> bool {
        self.is_masking() && self.copies.include(text)
    }

    /// Returns whether a text is a copy of a hidden one, or contains one.
    pub(crate) fn hides_text(&self, text: &str) -> bool {
        self.is_masking()
            && (self.copies.are_in(text)
                // Inside, the text may be escaped.
                || Json::parse_inside(text).is_some_and(|inner| {
                    let marks = Marks::default();
                    self.hides_a_part(&marks.root().inside(), &inner)
                }))
    }

    fn hides_a_part(&self, place: &Place<'_>, value: &Json<'_>) -> bool {
        self.hides(place, value)
            || match value {
                Json::Array(items) => {
                    let mut items = items.iter().enumerate();
                    items.any(|(number, item)| self.hides_a_part(&place.element(number), item))
                }
                Json::Object(members) => members
                    .iter()
                    .any(|(name, value)| self.hides_a_part(&place.member(name), value)),
                _ => false,
            }
    }

    /// Returns the value at a place as it may be shown, and whether a part of it is hidden.
    pub(crate) fn show(&self, place: &Place<'_>, value: &Json<'_>) -> (Shown, bool) {
        match self.values {
            Values::All => (Shown::Value(value.to_raw()), false),
            Values::None => (Shown::Omitted, self.hides_a_part(place, value)),
            Values::Masked if self.hides(place, value) => (Shown::Hidden, true),
            Values::Masked if !self.hides_a_part(place, value) => {
                (Shown::Value(value.to_raw()), false)
            }
            Values::Masked => (Shown::Value(self.masked(place, value).to_raw()), true),
        }
    }

    /// Returns the value with its hidden parts replaced.
    fn masked<'a>(&self, place: &Place<'_>, value: &Json<'a>) -> Json<'a> {
        if self.hides(place, value) {
            return Json::Text(Cow::Borrowed(SENSITIVE));
        }
        match value {
            Json::Array(items) => {
                let items = items.iter().enumerate();
                Json::Array(
                    items.map(|(number, item)| self.masked(&place.element(number), item)).collect(),
                )
            }
            Json::Object(members) => {
                let masked = |(name, value): (&Cow<'a, str>, &Json<'a>)| {
                    (name.clone(), self.masked(&place.member(name), value))
                };
                Json::Object(members.iter().map(masked).collect())
            }
            scalar => scalar.clone(),
        }
    }
}

/// Returns the attributes of an instance, in either form.
pub(crate) fn attributes<'j, 'a>(instance: &'j Json<'a>) -> Option<&'j Json<'a>> {
    let given = |name: &str| instance.get(name).filter(|value| !value.is_null());
    given("attributes").or_else(|| given("attributes_flat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(masking: &Masking, kind: &str, instance: &str) -> String {
        let instance = Json::parse(instance).unwrap();
        let marks = Marks::of_instance(kind, &instance);
        let (shown, _) = masking.show(&marks.root(), attributes(&instance).unwrap());
        shown.json().map_or_else(|| "hidden".to_owned(), |json| json.get().to_owned())
    }

    fn masking(instances: &[&str]) -> Masking {
        let mut masking = Masking::new(Values::Masked);
        for instance in instances {
            masking.learn_instance("t", &Json::parse(instance).unwrap());
        }
        masking
    }

    #[test]
    fn marked_paths_and_all_below_are_hidden() {
        let instance = r#"{"attributes":{"a":{"b":["x1",{"c":"deep"}],"d":"seen"},"m":{"k":"v1","l":"v2"},"n":[1,2]},
            "sensitive_attributes":[[{"type":"get_attr","value":"a"},{"type":"get_attr","value":"b"}],
             [{"type":"get_attr","value":"m"},{"type":"index","value":{"value":"k","type":"string"}}],
             [{"type":"get_attr","value":"n"},{"type":"index","value":{"value":1,"type":"number"}}]]}"#;
        assert_eq!(
            shown(&masking(&[instance]), "t", instance),
            r#"{"a":{"b":"(sensitive)","d":"seen"},"m":{"k":"(sensitive)","l":"v2"},"n":[1,"(sensitive)"]}"#
        );
    }

    #[test]
    fn a_mark_that_cannot_be_read_hides_all_that_it_may_mean() {
        for (marks, expected) in [
            (r#""all""#, "hidden"),
            ("[[]]", "hidden"),
            (
                r#"[[{"type":"get_attr","value":"a"},{"type":"new"}]]"#,
                r#"{"a":"(sensitive)","b":1}"#,
            ),
            ("null", r#"{"a":[7],"b":1}"#),
        ] {
            let instance =
                format!(r#"{{"attributes":{{"a":[7],"b":1}},"sensitive_attributes":{marks}}}"#);
            assert_eq!(shown(&masking(&[]), "t", &instance), expected, "{marks}");
        }
    }

    #[test]
    fn copies_are_hidden_in_other_instances_whole_and_in_longer_texts() {
        let secret = r#"{"attributes":{"a":"hunter2-hunter2","short":"abc","flag":"true","port":5432},
            "sensitive_attributes":[[{"type":"get_attr","value":"a"}],[{"type":"get_attr","value":"short"}],
            [{"type":"get_attr","value":"flag"}],[{"type":"get_attr","value":"port"}]]}"#;
        let other = r#"{"attributes":{"copy":"hunter2-hunter2","url":"postgres://me:hunter2-hunter2@db","policy":"{\"p\":\"hunter2\\u002dhunter2\"}",
            "abc":"abc","t":true,"true":"true","n":5432,"free":"hunter"}}"#;
        assert_eq!(
            shown(&masking(&[secret]), "t", other),
            r#"{"abc":"abc","copy":"(sensitive)","free":"hunter","n":"(sensitive)","policy":"(sensitive)","t":true,"true":"true","url":"(sensitive)"}"#
        );
    }

    #[test]
    fn names_of_secrets_hide_their_values_at_any_depth() {
        let instance = r#"{"attributes":{"db_password":"p","env":{"API_TOKEN":"t","x":"y"},"json":"{\"clientSecret\":\"inner-secret\"}",
            "token_ttl":3600,"ttl":3600,"l":["inner-secret"]}}"#;
        assert_eq!(
            shown(&masking(&[instance]), "t", instance),
            r#"{"db_password":"(sensitive)","env":{"API_TOKEN":"(sensitive)","x":"y"},"json":"(sensitive)","l":["(sensitive)"],"token_ttl":"(sensitive)","ttl":3600}"#
        );
    }

    #[test]
    fn attributes_that_providers_are_known_to_hide_are_hidden_without_a_mark() {
        let instance = r#"{"attributes":{"result":"r","id":"none"}}"#;
        assert_eq!(
            shown(&masking(&[]), "random_password", instance),
            r#"{"id":"none","result":"(sensitive)"}"#
        );
    }

    #[test]
    fn a_name_of_a_member_that_is_a_copy_hides_the_whole_object() {
        let secret = r#"{"attributes":{"password":"hunter2-hunter2"}}"#;
        let other = r#"{"attributes":{"m":{"hunter2-hunter2":1},"n":1}}"#;
        assert_eq!(shown(&masking(&[secret]), "t", other), r#"{"m":"(sensitive)","n":1}"#);
    }

    #[test]
    fn sensitive_outputs_are_hidden_with_their_copies() {
        let mut masking = masking(&[]);
        masking.learn_output(
            "o",
            &Json::parse(r#"{"value":{"k":"from-output"},"sensitive":true}"#).unwrap(),
        );
        assert_eq!(
            shown(&masking, "t", r#"{"attributes":{"a":"from-output","b":"k"}}"#),
            r#"{"a":"(sensitive)","b":"k"}"#
        );
    }

    #[test]
    fn of_a_sensitive_output_with_many_values_only_equal_ones_are_hidden() {
        let mut masking = masking(&[]);
        let output =
            r#"{"value":{"region":"eu-central-1","password":"hunter2-x"},"sensitive":true}"#;
        masking.learn_output("cluster", &Json::parse(output).unwrap());
        assert_eq!(
            shown(
                &masking,
                "t",
                r#"{"attributes":{"a":"eu-central-1a","b":"eu-central-1","c":"x-hunter2-x"}}"#
            ),
            r#"{"a":"eu-central-1a","b":"(sensitive)","c":"(sensitive)"}"#
        );
    }

    #[test]
    fn names_of_attributes_are_no_copies() {
        let secret = r#"{"attributes":{"password":"username","a":{"password":"size"}}}"#;
        let other = r#"{"attributes":{"username":"u","m":{"size":1},"n":{"username":"v"}}}"#;
        assert_eq!(
            shown(&masking(&[secret]), "t", other),
            r#"{"m":{"size":1},"n":"(sensitive)","username":"u"}"#
        );
    }

    #[test]
    fn all_values_are_shown_or_none_if_so_asked() {
        let instance = r#"{"attributes":{"password":"p"}}"#;
        assert_eq!(shown(&Masking::new(Values::All), "t", instance), r#"{"password":"p"}"#);
        assert_eq!(shown(&Masking::new(Values::None), "t", instance), "hidden");
    }
}
