//! Turning panics of redb into errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic, and returns the message of the panic. The caller must not use
/// what `work` was changing after a panic.
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    // The default hook would print a message as for a bug in the program.
    HOOK.call_once(|| {
        let announce = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !CATCHING.get() {
                announce(panic);
            }
        }));
    });
    let was_catching = CATCHING.replace(true);
    let caught = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(was_catching);
    caught.map_err(|panic| text(&*panic))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_returned_with_what_it_said() {
        assert_eq!(catch(|| 1), Ok(1));
        assert_eq!(catch(|| panic!("so")), Err::<(), _>("so".to_owned()));
        assert_eq!(catch(|| panic!("so {}", 1 + 1)), Err::<(), _>("so 2".to_owned()));
    }
}
