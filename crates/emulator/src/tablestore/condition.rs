//! Conditions of writes, and filters of reads:
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/configure-conditional-update>.

use prost::Message as _;

use super::messages::{ColumnFilter, CompositeFilter, Condition, Filter};
use super::plain_buffer::Value;
use super::refusal::Refusal;
use crate::store::rows::Columns;

/// How deep filters may be nested. The service allows ten.
const DEPTH: usize = 10;

/// A condition, parsed completely before anything is changed.
#[derive(Debug)]
pub(super) struct Check {
    existence: Existence,
    columns: Option<Test>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existence {
    Ignored,
    Expected,
    Excluded,
}

/// A parsed filter.
#[derive(Debug)]
pub(super) enum Test {
    All(Vec<Self>),
    Any(Vec<Self>),
    Column { name: String, comparison: Comparison, value: Value, if_missing: bool },
    Not(Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Check {
    pub(super) fn parse(condition: &Condition) -> Result<Self, Refusal> {
        let existence = match condition.row_existence {
            0 => Existence::Ignored,
            1 => Existence::Expected,
            2 => Existence::Excluded,
            _ => return Err(Refusal::invalid("Invalid expectation of row existence.")),
        };
        let columns = condition.column_condition.as_deref().filter(|bytes| !bytes.is_empty());
        let columns = columns.map(Test::decode).transpose()?;
        if existence == Existence::Excluded && columns.is_some() {
            return Err(Refusal::invalid("A row that must not exist has no columns to look at."));
        }
        Ok(Self { existence, columns })
    }

    /// Decides whether a row may be changed.
    pub(super) fn decide(&self, present: Option<&Columns>) -> Result<(), Refusal> {
        let exists = match self.existence {
            Existence::Ignored => true,
            Existence::Expected => present.is_some(),
            Existence::Excluded => present.is_none(),
        };
        let none = Columns::new();
        let columns = self.columns.as_ref().is_none_or(|test| test.holds(present.unwrap_or(&none)));
        if exists && columns { Ok(()) } else { Err(Refusal::condition_failed()) }
    }
}

impl Test {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::parse(&Filter::decode(bytes)?, DEPTH)
    }

    fn parse(filter: &Filter, depth: usize) -> Result<Self, Refusal> {
        if depth == 0 {
            return Err(Refusal::invalid("Filters stand too deep in one another."));
        }
        match filter.kind {
            1 => Self::column(ColumnFilter::decode(&*filter.filter)?),
            2 => {
                let composite = CompositeFilter::decode(&*filter.filter)?;
                let parts = composite.sub_filters.iter().map(|part| Self::parse(part, depth - 1));
                let mut parts: Vec<Self> = parts.collect::<Result<_, _>>()?;
                match (composite.combinator, parts.len()) {
                    (1, 1) => Ok(Self::Not(Box::new(parts.remove(0)))),
                    (2, 2..) => Ok(Self::All(parts)),
                    (3, 2..) => Ok(Self::Any(parts)),
                    _ => Err(Refusal::invalid("Invalid combination of filters.")),
                }
            }
            3 => Err(Refusal::unsupported("a filter that counts columns")),
            _ => Err(Refusal::invalid("Invalid type of filter.")),
        }
    }

    fn column(filter: ColumnFilter) -> Result<Self, Refusal> {
        if filter.value_trans_rule.is_some() {
            return Err(Refusal::unsupported("a filter that takes a value apart"));
        }
        let comparison = match filter.comparator {
            1 => Comparison::Equal,
            2 => Comparison::NotEqual,
            3 => Comparison::Greater,
            4 => Comparison::GreaterOrEqual,
            5 => Comparison::Less,
            6 => Comparison::LessOrEqual,
            _ => return Err(Refusal::invalid("Invalid comparator.")),
        };
        Ok(Self::Column {
            name: filter.column_name,
            comparison,
            value: Value::decode(&filter.column_value)?,
            if_missing: !filter.filter_if_missing,
        })
    }

    pub(super) fn holds(&self, columns: &Columns) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(columns)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(columns)),
            Self::Not(part) => !part.holds(columns),
            Self::Column { name, comparison, value, if_missing } => match columns.get(name) {
                None => *if_missing,
                Some(column) => comparison.holds(&column.value, value),
            },
        }
    }
}

impl Comparison {
    /// Values of different types are not equal, and neither is greater.
    fn holds(self, left: &Value, right: &Value) -> bool {
        let is_comparable = std::mem::discriminant(left) == std::mem::discriminant(right);
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => is_comparable && left > right,
            Self::GreaterOrEqual => is_comparable && left >= right,
            Self::Less => is_comparable && left < right,
            Self::LessOrEqual => is_comparable && left <= right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::Column;
    use crate::tablestore::messages::WriteRowRequest;

    fn columns(info: Option<&str>) -> Columns {
        let info =
            info.map(|info| Column { value: Value::String(info.to_owned()), timestamp_ms: 0 });
        info.map(|info| ("Info".to_owned(), info)).into_iter().collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_condition_that_the_vendors_sdk_writes_for_an_unlock_is_decided() {
        let body = bytes(
            "0a0973746174656c6f636b122775000000010304060000004c6f636b4944050c00000003070000007466626b742f6b0a600809f21a1e0801121a0801121608011204496e666f1a08030300000061626320002801",
        );
        let request = WriteRowRequest::decode(&*body).unwrap();
        let check = Check::parse(&request.condition).unwrap();
        assert!(check.decide(Some(&columns(Some("abc")))).is_ok());
        // The column may be missing, the row may not.
        assert!(check.decide(Some(&columns(None))).is_ok());
        for present in [Some(columns(Some("abd"))), None] {
            assert_eq!(check.decide(present.as_ref()).unwrap_err().code, "OTSConditionCheckFail");
        }
    }

    #[test]
    fn filters_combine() {
        let is = |value: &str| Test::Column {
            name: "Info".to_owned(),
            comparison: Comparison::Equal,
            value: Value::String(value.to_owned()),
            if_missing: false,
        };
        let row = columns(Some("a"));
        assert!(Test::Any(vec![is("a"), is("b")]).holds(&row));
        assert!(!Test::All(vec![is("a"), is("b")]).holds(&row));
        assert!(Test::Not(Box::new(is("b"))).holds(&row));
        assert!(!is("a").holds(&columns(None)));
    }

    #[test]
    fn values_of_different_types_are_in_no_order() {
        let (text, number) = (Value::String("1".to_owned()), Value::Integer(1));
        assert!(
            !Comparison::Less.holds(&text, &number) && !Comparison::Greater.holds(&text, &number)
        );
        assert!(Comparison::NotEqual.holds(&text, &number));
        assert!(Comparison::LessOrEqual.holds(&number, &Value::Integer(1)));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_passes() {
        for (kind, filter) in
            [(1, b"x".to_vec()), (2, Vec::new()), (3, Vec::new()), (9, Vec::new())]
        {
            let bytes = Filter { kind, filter }.encode_to_vec();
            assert!(Test::decode(&bytes).is_err(), "{kind}");
        }
        assert!(Check::parse(&Condition { row_existence: 3, column_condition: None }).is_err());
    }
}
