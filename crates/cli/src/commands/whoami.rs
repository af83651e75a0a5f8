//! `whoami`: prints the identity that the store sees.

use remote_state::Caller;
use serde_json::json;

use crate::exit::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let identity = session.backend.identity().await?;
    let (known, unknown_because) = match &identity.caller {
        Caller::Known { account, arn, user_id } => (Some([account, arn, user_id]), None),
        Caller::Unknown(reason) => (None, Some(reason)),
    };
    if session.ui.is_json {
        let member = |index: usize| known.map(|known| known[index].as_str());
        return session.ui.json(&json!({
            "version": 1,
            "backend": session.provider.spec().scheme,
            "account": member(0),
            "arn": member(1),
            "user_id": member(2),
            "unknown_because": unknown_because,
            "credentials": {
                "source": identity.source,
                "access_key_id": identity.access_key_id,
                "expires": identity.expires.map(|time| time.to_string()),
            },
            "region": identity.region,
            "endpoint": identity.endpoint,
            "dialect": identity.dialect,
        }));
    }
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let mut rows = match known {
        Some([account, arn, user_id]) => {
            vec![row("account", account), row("arn", arn), row("user id", user_id)]
        }
        None => vec![row(
            "account",
            &format!("unknown: {}", unknown_because.map_or("", |reason| reason)),
        )],
    };
    rows.extend([row("credentials", &identity.source), row("access key", &identity.access_key_id)]);
    if let Some(expires) = identity.expires {
        rows.push(row("expires", &expires.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    }
    rows.extend([row("region", &identity.region), row("endpoint", &identity.endpoint)]);
    if let Some(dialect) = &identity.dialect {
        rows.push(row("dialect", dialect));
    }
    session.ui.table(&["what", "is"], rows)
}
