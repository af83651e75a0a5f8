//! The connection to a service: through which proxy, with which certificates, and how much of a
//! reply is read.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use url::Url;

use pool::Kind;
use proxy::Named;
pub(crate) use proxy::Proxies;
pub(crate) use trust::Trust;
pub(crate) use unanswered::Unanswered;

mod connector;
mod pool;
mod proxy;
mod secured;
#[cfg(test)]
mod tests;
mod trust;
mod unanswered;

/// The maximum size of a reply that is not a state: lists of 1,000 keys of 1,024 escaped bytes fit.
/// The SDK itself would read on for as long as a broken or hostile server sends.
const MOST_OF_AN_ANSWER: usize = 16 << 20;

/// Makes the HTTP client for all requests of this crate.
///
/// No connection may take longer than `connect_timeout`, TLS included, whatever the SDK allows. The
/// exception is plain HTTP without a proxy: there the SDK's limit applies.
pub(crate) fn client(
    trust: &Trust,
    proxies: &Proxies,
    connect_timeout: Duration,
) -> SharedHttpClient {
    let pool = |proxy: Option<&Named>, is_tls| {
        pool::client(Kind { trust: trust.clone(), proxy: proxy.cloned(), is_tls, connect_timeout })
    };
    let route = |proxy: Option<&Named>| Route { plain: pool(proxy, false), tls: pool(proxy, true) };
    SharedHttpClient::new(Transport(Arc::new(Routes {
        // The sources of credentials on this machine have timeouts of their own, which the SDK's
        // client obeys.
        direct: Route { plain: Builder::new().build_http(), ..route(None) },
        http: proxies.http().map(|proxy| route(Some(proxy))),
        https: proxies.https().map(|proxy| route(Some(proxy))),
        proxies: proxies.clone(),
    })))
}

/// The HTTP clients of one route, by the scheme of the requested URL.
#[derive(Debug)]
struct Route {
    plain: SharedHttpClient,
    tls: SharedHttpClient,
}

#[derive(Debug)]
struct Routes {
    direct: Route,
    http: Option<Route>,
    https: Option<Route>,
    proxies: Proxies,
}

impl Routes {
    fn to(&self, uri: &str) -> &SharedHttpClient {
        // A text that is not a URL fails later, when the request is sent.
        let url = Url::parse(uri).ok();
        let is_tls = url.as_ref().is_some_and(|url| url.scheme() == "https");
        let proxied = url.is_some_and(|url| self.proxies.applies_to(&url));
        let route = if is_tls { &self.https } else { &self.http };
        let route = route.as_ref().filter(|_| proxied).unwrap_or(&self.direct);
        if is_tls { &route.tls } else { &route.plain }
    }
}

/// Chooses the route for each request: its destination is known only when the request is made.
#[derive(Debug)]
struct Transport(Arc<Routes>);

impl HttpClient for Transport {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Dispatcher {
            routes: self.0.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct Dispatcher {
    routes: Arc<Routes>,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Dispatcher {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_download = request.method() == "GET" && request.uri().contains("x-id=GetObject");
        let client = self.routes.to(request.uri());
        let server = unanswered::server(request.uri());
        let answer = client.http_connector(&self.settings, &self.components).call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(|error| Unanswered::wrap(error, server))?;
            let answer = with_credible_date(answer);
            Ok(if is_download && answer.status().is_success() { answer } else { bounded(answer) })
        })
    }
}

/// The range of a service's times that are accepted, in seconds since 1970: those of this century
/// from 2020 on. The SDK signs with the time of any reply, and panics on years that a signature
/// cannot hold.
const CREDIBLE_SECONDS: Range<i64> = 1_577_836_800..4_102_444_800;

/// Drops a `Date` that no service can have. All readers ignore one that cannot be parsed.
fn with_credible_date(mut answer: HttpResponse) -> HttpResponse {
    let date = answer.headers().get("date");
    let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
    if date.is_some_and(|date| !CREDIBLE_SECONDS.contains(&date.secs())) {
        drop(answer.headers_mut().remove("date"));
    }
    answer
}

fn bounded(mut answer: HttpResponse) -> HttpResponse {
    let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
    *answer.body_mut() = SdkBody::from_body_1_x(Limited::new(body, MOST_OF_AN_ANSWER));
    answer
}
