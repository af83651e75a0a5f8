//! The two kinds of expression that lock clients write: conditions and projections. Other
//! expressions are refused.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>.

use serde_json::Value;

use super::refusal::Refusal;
use crate::store::tables::Item;

/// A conjunction of terms; the empty one always holds.
#[derive(Debug, Default)]
pub(crate) struct Condition(Vec<Term>);

#[derive(Debug)]
enum Term {
    Exists(String),
    NotExists(String),
    Equals(String, Value),
}

impl Condition {
    pub(crate) fn parse(input: &Value) -> Result<Self, Refusal> {
        let Some(text) = input.get("ConditionExpression").filter(|text| !text.is_null()) else {
            return Ok(Self::default());
        };
        let text = text.as_str().unwrap_or_default();
        text.split(" AND ")
            .map(|term| Term::parse(term.trim(), input))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Decides whether an item may be changed.
    pub(crate) fn check(&self, present: Option<&Item>) -> Result<(), Refusal> {
        let attribute = |name: &String| present.and_then(|item| item.get(name));
        let holds = self.0.iter().all(|term| match term {
            Term::Exists(name) => attribute(name).is_some(),
            Term::NotExists(name) => attribute(name).is_none(),
            Term::Equals(name, value) => attribute(name) == Some(value),
        });
        if holds {
            Ok(())
        } else {
            Err(Refusal::new("ConditionalCheckFailedException", "The conditional request failed"))
        }
    }
}

impl Term {
    fn parse(text: &str, input: &Value) -> Result<Self, Refusal> {
        let call = |function: &str| {
            text.strip_prefix(function)?.trim().strip_prefix('(')?.strip_suffix(')').map(str::trim)
        };
        if let Some(path) = call("attribute_not_exists") {
            return Ok(Self::NotExists(name(path, input)?));
        }
        if let Some(path) = call("attribute_exists") {
            return Ok(Self::Exists(name(path, input)?));
        }
        let refused = || {
            Refusal::invalid(format!("Invalid ConditionExpression: `{text}` is not implemented"))
        };
        let (path, placeholder) = text.split_once('=').ok_or_else(refused)?;
        let placeholder = placeholder.trim();
        if !placeholder.starts_with(':') {
            return Err(refused());
        }
        let value = input["ExpressionAttributeValues"].get(placeholder).ok_or_else(|| {
            Refusal::invalid(format!(
                "An expression attribute value used in expression is not defined: {placeholder}"
            ))
        })?;
        Ok(Self::Equals(name(path.trim(), input)?, value.clone()))
    }
}

/// Which attributes to return; all of them unless named.
#[derive(Debug)]
pub(crate) struct Projection(Option<Vec<String>>);

pub(crate) fn projection(input: &Value) -> Result<Projection, Refusal> {
    let Some(text) = input.get("ProjectionExpression").filter(|text| !text.is_null()) else {
        return Ok(Projection(None));
    };
    let names = text.as_str().unwrap_or_default().split(',').map(|path| name(path.trim(), input));
    names.collect::<Result<_, _>>().map(Some).map(Projection)
}

impl Projection {
    pub(crate) fn apply(&self, mut item: Item) -> Value {
        if let Some(names) = &self.0 {
            item.retain(|name, _| names.contains(name));
        }
        Value::Object(item)
    }
}

/// Returns the name of an attribute, replacing a placeholder with `#`. Paths into an attribute are
/// refused.
fn name(path: &str, input: &Value) -> Result<String, Refusal> {
    if path.starts_with('#') {
        let name = input["ExpressionAttributeNames"][path].as_str();
        return name.map(str::to_owned).ok_or_else(|| {
            Refusal::invalid(format!(
                "An expression attribute name used in the document path is not defined: {path}"
            ))
        });
    }
    let is_name = !path.is_empty() && path.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name
        .then(|| path.to_owned())
        .ok_or_else(|| Refusal::invalid(format!("Invalid expression: `{path}` is not implemented")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(expression: &str, present: Option<&Value>) -> Result<(), &'static str> {
        let input = json!({
            "ConditionExpression": expression,
            "ExpressionAttributeNames": {"#i": "Info"},
            "ExpressionAttributeValues": {":info": {"S": "x"}},
        });
        let condition = Condition::parse(&input).map_err(|refusal| refusal.code)?;
        condition.check(present.and_then(Value::as_object)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn conditions_of_lock_clients_are_decided() {
        let item = json!({"LockID": {"S": "l"}, "Info": {"S": "x"}});
        let other = json!({"LockID": {"S": "l"}, "Info": {"S": "y"}});
        let failed = Err("ConditionalCheckFailedException");
        assert_eq!(check("attribute_not_exists(LockID)", None), Ok(()));
        assert_eq!(check("attribute_not_exists(LockID)", Some(&item)), failed);
        assert_eq!(check("attribute_exists (LockID)", Some(&item)), Ok(()));
        assert_eq!(check("Info = :info", Some(&item)), Ok(()));
        assert_eq!(check("#i = :info AND attribute_exists(LockID)", Some(&item)), Ok(()));
        assert_eq!(check("Info = :info", Some(&other)), failed);
        assert_eq!(check("Info = :info", None), failed);
    }

    #[test]
    fn what_is_not_implemented_is_refused_and_never_passes() {
        for expression in
            ["", "Info <> :info", "Info = :other", "size(Info) = :info", "#x = :info", "Info = x"]
        {
            assert_eq!(check(expression, None), Err("ValidationException"), "{expression}");
        }
    }
}
