//! Operations that the evaluator of `hcl-rs` gets wrong.
//!
//! `hcl-rs` computes in 64 bits unchecked: it overflows, and panics if a result is no number. So
//! this module computes every operation on literal numbers first, with checks, before `hcl-rs`
//! evaluates the expression.

use hcl::eval::{Context, Evaluate};
use hcl_edit::Number;
use hcl_edit::expr::{BinaryOperator, Expression, UnaryOperator};
use hcl_edit::template::Interpolation;
use hcl_edit::visit_mut::{self, VisitMut};

/// Replaces each operation on numbers by its result; returns `None` if one has no result.
pub(super) fn fold(mut expression: Expression) -> Option<Expression> {
    let mut folder = Folder::default();
    folder.visit_expr_mut(&mut expression);
    (!folder.failed).then_some(expression)
}

#[derive(Default)]
struct Folder {
    failed: bool,
}

impl VisitMut for Folder {
    fn visit_expr_mut(&mut self, expression: &mut Expression) {
        // Innermost first, so that no operand is an operation.
        visit_mut::visit_expr_mut(self, expression);
        if self.failed {
            return;
        }
        let result = match expression {
            Expression::UnaryOp(operation) if *operation.operator.value() == UnaryOperator::Neg => {
                number(&operation.expr).map(|operand| subtract(Number::from(0_u64), operand))
            }
            Expression::BinaryOp(operation) => match operator(*operation.operator.value()) {
                Some(compute) => number(&operation.lhs_expr)
                    .zip(number(&operation.rhs_expr))
                    .map(|(left, right)| compute(left, right)),
                None => None,
            },
            _ => None,
        };
        match result {
            Some(Some(result)) => *expression = Expression::from(result),
            Some(None) => self.failed = true,
            // The operands are no numbers, or unknown: the evaluator reports the error.
            None => {}
        }
    }

    /// Rejects a null inside a string, as Terraform does; the evaluator would print it as a word.
    fn visit_interpolation_mut(&mut self, interpolation: &mut Interpolation) {
        visit_mut::visit_interpolation_mut(self, interpolation);
        let expression = hcl::Expression::from(interpolation.expr.clone());
        self.failed |=
            !self.failed && matches!(expression.evaluate(&Context::new()), Ok(hcl::Value::Null));
    }
}

fn number(expression: &Expression) -> Option<Number> {
    match hcl::Expression::from(expression.clone()).evaluate(&Context::new()) {
        Ok(hcl::Value::Number(number)) => Some(number),
        _ => None,
    }
}

type Compute = fn(Number, Number) -> Option<Number>;

fn operator(operator: BinaryOperator) -> Option<Compute> {
    match operator {
        BinaryOperator::Plus => {
            Some(|left, right| compute(left, right, i128::checked_add, |left, right| left + right))
        }
        BinaryOperator::Minus => Some(subtract),
        BinaryOperator::Mul => {
            Some(|left, right| compute(left, right, i128::checked_mul, |left, right| left * right))
        }
        BinaryOperator::Div => {
            Some(|left, right| compute(left, right, exact_quotient, |left, right| left / right))
        }
        BinaryOperator::Mod => {
            Some(|left, right| compute(left, right, i128::checked_rem, |left, right| left % right))
        }
        _ => None,
    }
}

fn subtract(left: Number, right: Number) -> Option<Number> {
    compute(left, right, i128::checked_sub, |left, right| left - right)
}

fn exact_quotient(left: i128, right: i128) -> Option<i128> {
    (left.checked_rem(right)? == 0).then(|| left.checked_div(right))?
}

/// Computes with whole numbers as long as they fit, else with fractions; `None` if the result is no
/// finite number.
fn compute(
    left: Number,
    right: Number,
    whole: fn(i128, i128) -> Option<i128>,
    fraction: fn(f64, f64) -> f64,
) -> Option<Number> {
    let integer = |number: &Number| {
        number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from))
    };
    if let Some(result) =
        integer(&left).zip(integer(&right)).and_then(|(left, right)| whole(left, right))
    {
        if let Ok(result) = u64::try_from(result) {
            return Some(Number::from(result));
        }
        if let Ok(result) = i64::try_from(result) {
            return Some(Number::from(result));
        }
    }
    let result = fraction(left.as_f64()?, right.as_f64()?);
    result.is_finite().then(|| Number::from_f64(result))?
}
