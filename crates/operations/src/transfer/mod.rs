//! Bringing a state from one place to another: copying it, proving the copy, and sealing the
//! source. A rename does so inside of one store, a migration between two.
//!
//! The caller holds the locks of both places from the planning to the end.

mod attempt;
mod copy;
mod outcome;
mod plan;
mod route;

pub(crate) use self::attempt::{Carried, carry_out};
pub(crate) use self::copy::copy;
pub use self::copy::{CopyPlan, Target};
pub(crate) use self::outcome::{AtTarget, Stopped};
pub use self::plan::{COMPARE, MovePlan, is_fenced};
pub(crate) use self::plan::{Rules, plan, source, target};
pub use self::route::Step;
pub(crate) use self::route::{Place, Route, Steps, Unobserved};
