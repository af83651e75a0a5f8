//! Which request goes through which proxy.

use remote_state_core::config::{Environment, Layer, Origin, ResolvedConfig, Setting, Sourced, resolve};

use super::*;
use crate::PROVIDER;

fn proxies(keys: &[(&str, &str)], env: &[(&str, &str)]) -> (Proxies, Vec<String>) {
    let needed = [("bucket", "b"), ("key", "k"), ("region", "r")];
    let at = |value: &str| Sourced::new(Setting::from(value), Origin::file("main.tf", 3));
    let layer: Layer =
        needed.iter().chain(keys).map(|(name, value)| ((*name).to_owned(), at(value))).collect();
    let env: Environment = env.iter().copied().collect();
    let config: ResolvedConfig = resolve(&PROVIDER, &env, &[layer]).unwrap();
    let mut notes = Vec::new();
    let proxies = Proxies::from_resolved(&config, &mut notes).unwrap();
    (proxies, notes)
}

/// The proxies for `http` and for `https`, by their hosts; empty for none.
fn hosts(proxies: &Proxies) -> (String, String) {
    let host = |named: Option<&Named>| match named {
        Some(proxy) => proxy.as_ref().unwrap().uri().host().unwrap().to_owned(),
        None => String::new(),
    };
    (host(proxies.http()), host(proxies.https()))
}

#[test]
fn proxies_of_the_configuration_go_before_those_of_the_environment() {
    const NONE: &[(&str, &str)] = &[];
    let conf = "http://conf";
    let other = "http://other";
    // Keys, environment, the proxies for `http` and `https`, and whether there is a note.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], (&'a str, &'a str), bool);
    let cases: &[Case<'_>] = &[
        (NONE, NONE, ("", ""), false),
        (&[("http_proxy", conf)], NONE, ("conf", "conf"), true),
        (&[("http_proxy", "")], NONE, ("", ""), false),
        (&[("https_proxy", conf)], NONE, ("", "conf"), false),
        (&[("https_proxy", "")], NONE, ("", ""), false),
        (&[("http_proxy", conf), ("https_proxy", other)], NONE, ("conf", "other"), false),
        (&[("http_proxy", conf), ("https_proxy", "")], NONE, ("conf", ""), false),
        (&[("http_proxy", ""), ("https_proxy", other)], NONE, ("", "other"), false),
        (NONE, &[("HTTP_PROXY", "http://env")], ("env", ""), false),
        (NONE, &[("http_proxy", "http://env")], ("env", ""), false),
        (NONE, &[("HTTPS_PROXY", "http://env")], ("", "env"), false),
        (NONE, &[("https_proxy", "http://env")], ("", "env"), false),
        (NONE, &[("HTTP_PROXY", "http://upper"), ("http_proxy", "http://lower")], ("upper", ""), false),
        (NONE, &[("HTTP_PROXY", ""), ("http_proxy", "http://lower")], ("lower", ""), false),
        (&[("http_proxy", conf)], &[("HTTP_PROXY", "http://env")], ("conf", "conf"), true),
        (&[("http_proxy", conf)], &[("HTTPS_PROXY", "http://env")], ("conf", "env"), false),
        (&[("http_proxy", conf)], &[("https_proxy", "http://env")], ("conf", "env"), false),
        (
            &[("http_proxy", "")],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("", "env"),
            false,
        ),
        (
            &[("https_proxy", "")],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("env", ""),
            false,
        ),
        (
            &[("https_proxy", conf)],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("env", "conf"),
            false,
        ),
    ];
    for (keys, env, expected, has_note) in cases {
        let (found, notes) = proxies(keys, env);
        let (http, https) = hosts(&found);
        assert_eq!((http.as_str(), https.as_str()), *expected, "{keys:?} {env:?}");
        assert_eq!(!notes.is_empty(), *has_note, "{keys:?} {env:?}: {notes:?}");
    }
    let (_, notes) = proxies(&[("http_proxy", conf)], &[]);
    assert!(notes[0].contains("main.tf:3") && notes[0].contains("`https_proxy`"), "{notes:?}");
}

#[test]
fn what_is_near_or_excepted_is_asked_directly() {
    let (proxies, _) = proxies(
        &[
            ("http_proxy", "http://conf"),
            (
                "no_proxy",
                "Example.com, .below.example, *.star.example,10.0.0.0/8,192.0.2.7,ported.example:8443,[2001:db8::1]:90,,x:y",
            ),
        ],
        &[],
    );
    let applies = |url: &str| proxies.applies_to(&url.parse().unwrap());
    for url in [
        "http://localhost:9000",
        "http://127.1.2.3",
        "http://[::1]:1",
        "http://169.254.169.254/latest",
        "http://169.254.170.2",
        "http://[fd00:ec2::254]",
        "https://example.com",
        "https://a.example.com",
        "https://a.below.example",
        "https://a.star.example",
        "http://10.1.2.3",
        "http://192.0.2.7:99",
        "https://ported.example:8443",
        "http://[2001:db8::1]:90",
    ] {
        assert!(!applies(url), "{url}");
    }
    for url in [
        "https://notexample.com",
        "https://below.example",
        "https://star.example",
        "http://11.1.2.3",
        "http://192.0.2.8",
        "https://ported.example",
        "http://[2001:db8::1]",
        "https://s3.eu-central-1.amazonaws.com",
    ] {
        assert!(applies(url), "{url}");
    }
}

#[test]
fn exceptions_come_from_the_configuration_or_from_the_environment() {
    for (keys, env) in [
        (&[("no_proxy", "*")][..], &[][..]),
        (&[], &[("NO_PROXY", "*")]),
        (&[], &[("no_proxy", "*")]),
        (&[("no_proxy", "a.example")], &[("NO_PROXY", "*")]),
    ] {
        let (proxies, _) = proxies(keys, &[env, &[("HTTP_PROXY", "http://env")]].concat());
        assert!(!proxies.applies_to(&"http://a.example".parse().unwrap()), "{keys:?} {env:?}");
    }
    let (proxies, _) =
        proxies(&[("no_proxy", "a.example")], &[("NO_PROXY", "*"), ("HTTP_PROXY", "http://env")]);
    assert!(proxies.applies_to(&"http://b.example".parse().unwrap()));
}

#[test]
fn proxy_is_a_url_whose_password_does_not_show() {
    let (proxies, _) = proxies(&[("http_proxy", "alice:hunter2%40@proxy.example:3128")], &[]);
    assert!(!format!("{proxies:?}").contains("hunter2") && !format!("{proxies:?}").contains("alice"));
    let proxy = proxies.http().unwrap().as_ref().unwrap();
    assert_eq!(proxy.uri().to_string(), "http://proxy.example:3128/");
    // `alice:hunter2@`
    assert_eq!(proxy.authorization().unwrap(), "Basic YWxpY2U6aHVudGVyMkA=");
    // The last two are URLs, but no URIs.
    for bad in [
        "socks4://proxy.example:1080",
        "ftp://proxy.example",
        "http://",
        "http://a{b}:3128",
        "http://alice:hunter2@a{b}:3128",
    ] {
        let pairs = [("bucket", "b"), ("key", "k"), ("region", "r"), ("https_proxy", bad)];
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
        let error = Proxies::from_resolved(&config, &mut Vec::new()).unwrap_err();
        assert!(error.message().contains("`https_proxy`"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
