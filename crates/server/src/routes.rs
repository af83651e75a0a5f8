//! The routes, and the way from a request to its action.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use percent_encoding::percent_decode_str;
use remote_state_core::{ErrorKind, LockId};

use crate::action::Action;
use crate::app::App;
use crate::body::Pause;
use crate::events::Event;
use crate::failure::Failure;
use crate::intent::Address;
use crate::names;
use crate::observe::{Facts, observe};
use crate::{body, intent, locks, states, write};

/// How long an answer of `/readyz` is reused: everyone may ask, and a request to the store costs
/// money.
const READY_FOR: Duration = Duration::from_secs(5);

/// Returns the routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    // These three answer everyone, without a token and without a line in the log. Every other path
    // passes `guarded`, which authenticates the client.
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        // Not a route of axum, so that names are checked before anything decodes or normalizes the
        // path.
        .fallback(guarded)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app.telemetry), observe))
        .with_state(app)
}

async fn guarded(State(app): State<Arc<App>>, request: Request) -> Response {
    let mut facts = Facts::default();
    let mut response = match dispatch(&app, request, &mut facts).await {
        Ok(response) => {
            if let (Some(state), Some(action)) = (&facts.state, facts.action) {
                let lock = facts.lock_id.as_deref().map(LockId::new);
                app.observer.notify(&Event::Done { state, action, lock: lock.as_ref() });
            }
            response
        }
        Err(failure) => {
            if let (Some(state), Some(action)) = (&facts.state, facts.action) {
                app.observer.notify(&failure.event(state, action));
            }
            facts.failure = Some(failure.for_log());
            failure.into_response()
        }
    };
    response.extensions_mut().insert(facts);
    response
}

async fn dispatch(
    app: &Arc<App>,
    request: Request,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    intent::check_framing(parts.version, &parts.headers).map_err(Failure::closing)?;
    let admitted = app.gate.check(&parts.headers, parts.uri.path())?;
    facts.principal = admitted.principal;
    // Not 404: clients take that for "no state yet".
    let (address, raw_name) = Address::find(admitted.path).ok_or_else(|| {
        Failure::bad_request("there is nothing at this address; states are below `/state/`")
            .closing()
    })?;
    let name = names::parse(raw_name).map_err(Failure::closing)?;
    let place = app.states.resolve(&name).map_err(Failure::closing)?;
    facts.state = Some(name.clone());
    let action =
        address.action(parts.method.as_str(), intent::has_content(&parts.headers, &body))?;
    facts.action = Some(action);
    let query_id = lock_id(parts.uri.query().unwrap_or_default());
    facts.lock_id = query_id.as_ref().map(|id| id.as_str().to_owned());
    // Lock records do not count: a lock holder must always be able to release its lock.
    let pause = Pause { limit: app.timeouts.body, stop: app.stop.subscribe() };
    match action {
        Action::Read => states::read(app, &name, &place, facts).await,
        Action::Write => {
            let room = Some(body::Room { memory: &app.memory, disk: &app.disk });
            let limit_bytes = app.max_state_bytes;
            let body = body::receive(&parts.headers, body, limit_bytes, pause, room).await?;
            write::write(app, name, place, query_id, body, facts).await
        }
        Action::Delete => states::delete(app, name, place, query_id).await,
        Action::Lock => {
            let body = body::read(&parts.headers, body, locks::LONGEST_RECORD, pause).await?;
            let mut pauses = app.patience.begin();
            loop {
                let answer = locks::lock(app, name.clone(), place.clone(), &body, facts).await;
                let is_held = answer.as_ref().is_err_and(Failure::is_about_a_lock);
                if !is_held || !pauses.next().await {
                    return answer;
                }
            }
        }
        Action::Unlock => {
            let body = body::read(&parts.headers, body, locks::LONGEST_RECORD, pause).await?;
            locks::unlock(app, name, place, &body, query_id, facts).await
        }
        Action::ShowLock => locks::show(&place).await,
    }
}

/// Returns the parameter `ID`, wherever it is in the query. An empty one is none.
fn lock_id(query: &str) -> Option<LockId> {
    let (_, value) =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == "ID")?;
    let value = value.replace('+', " ");
    let value = percent_decode_str(&value).decode_utf8_lossy();
    (!value.is_empty()).then(|| LockId::new(value))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let mut known = app.readiness.lock().await;
    let is_ready = match *known {
        Some((since, is_ready)) if since.elapsed() < READY_FOR => is_ready,
        _ => {
            let place = app.states.probe();
            let answer = place.store.inspect(&place.workspace).await;
            // The server may not offer this state, and then it needs no permission to read its
            // lock.
            let is_ready = match &answer {
                Ok(_) => true,
                Err(error) => error.kind() == ErrorKind::PermissionDenied,
            };
            if let Err(error) = answer {
                let error = Failure::from(error).for_log();
                tracing::warn!(
                    error,
                    is_ready,
                    "the store did not answer a request about its readiness"
                );
            }
            *known = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    if is_ready {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store gave no usable answer\n").into_response()
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], app.telemetry.metrics()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_id_is_found_wherever_it_is_in_the_query() {
        for query in
            ["ID=a-b", "ID=a-b&team=x", "team=x&ID=a-b", "=&x&ID=%61-b", "id=no&ID=a-b&ID=c"]
        {
            assert_eq!(lock_id(query), Some(LockId::new("a-b")), "{query}");
        }
        for query in ["", "ID", "ID=", "id=a", "xID=a"] {
            assert_eq!(lock_id(query), None, "{query}");
        }
        assert_eq!(lock_id("ID=a+b%2Bc"), Some(LockId::new("a b+c")));
    }
}
