//! Evaluation of expressions that need no names.

use hcl::eval::{Context, Evaluate};
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ForExpr, FuncCall, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::template::ForDirective;
use hcl_edit::visit::{self, Visit};

use crate::config::{Origin, Setting, Sourced};
use crate::directory::arithmetic::fold;
use crate::directory::source::SourceText;
use crate::error::{Error, Result};

/// Evaluates an expression of a file to a setting. In an object literal each member keeps its line.
///
/// # Errors
/// `ConfigInvalid` for an expression of literals that has no value, such as `1 + "a"`.
pub(super) fn evaluate(source: &SourceText, expression: &Expression) -> Result<Setting> {
    Ok(match expression {
        Expression::Parenthesis(inner) => evaluate(source, inner.inner())?,
        Expression::Array(items) => {
            Setting::list(items.iter().map(|item| evaluate(source, item)).collect::<Result<_>>()?)
        }
        Expression::Object(object) => {
            let mut members = Vec::with_capacity(object.len());
            for (key, value) in object {
                let name = match key {
                    ObjectKey::Ident(name) => name.as_str().to_owned(),
                    ObjectKey::Expression(name) => match scalar(source, name)? {
                        Setting::String(name) | Setting::Number(name) => name,
                        deferred @ Setting::Deferred(_) => return Ok(deferred),
                        _ => return Err(valueless(&origin(source, name))),
                    },
                };
                let place = origin(source, value.expr());
                members.push((name, Sourced::new(evaluate(source, value.expr())?, place)));
            }
            Setting::Object(members)
        }
        other => scalar(source, other)?,
    })
}

fn scalar(source: &SourceText, expression: &Expression) -> Result<Setting> {
    let place = origin(source, expression);
    match &source.scope {
        Some(scope) => value(&scope.substitute(expression.clone(), &place), &place),
        None => value(expression, &place),
    }
}

fn value(expression: &Expression, place: &Origin) -> Result<Setting> {
    let mut names = Names::default();
    names.visit_expr(expression);
    if names.for_expression {
        return Ok(Setting::Deferred("`for`".to_owned()));
    }
    // A name does no harm if it is not evaluated, as in the other arm of a conditional.
    let value = fold(expression.clone()).and_then(|folded| {
        // The evaluator's own message may quote the value, which may be a secret.
        hcl::Expression::from(folded).evaluate(&Context::new()).ok()
    });
    match (value, names.first) {
        (Some(value), _) => Ok(setting(value, place)),
        (None, Some(name)) => Ok(Setting::Deferred(name)),
        (None, None) => Err(valueless(place)),
    }
}

fn setting(value: hcl::Value, origin: &Origin) -> Setting {
    match value {
        hcl::Value::Null => Setting::Null,
        hcl::Value::Bool(value) => Setting::Bool(value),
        hcl::Value::Number(number) => Setting::Number(number_text(&number)),
        hcl::Value::String(text) => Setting::String(text),
        hcl::Value::Array(items) => {
            Setting::List(items.into_iter().map(|item| setting(item, origin)).collect())
        }
        hcl::Value::Object(members) => Setting::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, Sourced::new(setting(value, origin), origin.clone())))
                .collect(),
        ),
    }
}

/// Formats a number as Terraform converts it to a string: without an exponent, and without a
/// fraction if it is whole.
fn number_text(number: &hcl::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

fn origin(source: &SourceText, expression: &Expression) -> Origin {
    expression
        .span()
        .map_or_else(|| Origin::file(&source.path, None), |span| source.origin(span.start))
}

fn valueless(origin: &Origin) -> Error {
    Error::config("an expression cannot be evaluated")
        .with_context("found in", origin)
        .with_hint("write the value itself")
}

/// Finds the first part of an expression that is a name or a call.
#[derive(Default)]
struct Names {
    first: Option<String>,
    /// Whether there is a loop. Nested loops would let a short text run for ever.
    for_expression: bool,
}

impl Names {
    fn found(&mut self, what: String) {
        self.first.get_or_insert(what);
    }
}

impl Visit for Names {
    fn visit_expr(&mut self, expression: &Expression) {
        match expression {
            Expression::Variable(name) => self.found(format!("the name `{}`", name.as_str())),
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_traversal(&mut self, traversal: &Traversal) {
        if let Expression::Variable(root) = &traversal.expr {
            let first = traversal.operators.first().map(|operator| operator.value());
            let member = match first {
                Some(TraversalOperator::GetAttr(member)) => format!(".{}", member.as_str()),
                _ => String::new(),
            };
            self.found(format!("the name `{}{member}`", root.as_str()));
        }
        visit::visit_traversal(self, traversal);
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        self.found(format!("a call of `{}`", call.name.name.as_str()));
    }

    fn visit_for_expr(&mut self, _: &ForExpr) {
        self.for_expression = true;
    }

    fn visit_for_directive(&mut self, _: &ForDirective) {
        self.for_expression = true;
    }
}
