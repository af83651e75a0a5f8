//! Signatures that the vendor's Python SDK (`oss2` 2.19.1) computed with its clock stopped, and
//! some that Terraform sent.

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use s3s::auth::SecretKey;

use super::*;

const TOKEN: &str = "STSTOKEN+/=";
const JSON: (&str, &str) = ("content-type", "application/json");
const K: &str = "env%3A%2Fdev%2Fterraform.tfstate";
const LOCK: &str = "env%3A%2Fdev%2Fterraform.tfstate.tflock";
const ODD: &str = "a%20b%2Bc~%C3%A9%2Fst%2Ate%21%28%27%29.tfstate";

struct Case {
    method: &'static str,
    key: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    v1: &'static str,
    v4: &'static str,
}

fn case(
    method: &'static str,
    key: &'static str,
    query: &'static str,
    headers: &[(&'static str, &'static str)],
    v1: &'static str,
    v4: &'static str,
) -> Case {
    Case { method, key, query, headers: headers.to_vec(), v1, v4 }
}

fn keys(token: Option<&str>) -> Keyring {
    let secret = SecretKey::from("SECRETEXAMPLE".to_owned());
    let tokens = token.map(|token| ("AKIDEXAMPLE".to_owned(), token.to_owned()));
    Keyring::new(Arc::new([("AKIDEXAMPLE".to_owned(), secret)].into()), tokens)
}

fn call(case: &Case, more: &[(&str, &str)]) -> Call {
    let mut request = hyper::Request::builder()
        .method(case.method)
        .uri(format!("/tfbkt/{}?{}", case.key, case.query))
        .header("host", "127.0.0.1:80");
    for (name, value) in case.headers.iter().chain(more) {
        let name: HeaderName = name.parse().unwrap();
        request = request.header(name, HeaderValue::from_str(value).unwrap());
    }
    Call::new(&request.body(()).unwrap().into_parts().0, Vec::new())
}

fn token_of(case: &Case) -> Option<&'static str> {
    case.headers.iter().find(|(name, _)| *name == "x-oss-security-token").map(|(_, token)| *token)
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cases() -> Vec<Case> {
    let token = ("x-oss-security-token", TOKEN);
    let whole = [
        JSON,
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-oss-object-acl", "private"),
        ("x-oss-server-side-encryption", "AES256"),
    ];
    let whole_with_token = [whole.as_slice(), &[token]].concat();
    let list = "encoding-type=url&max-keys=1000&prefix=env%3A%2F";
    let append = "append&position=0";
    let sealed =
        [JSON, ("x-oss-object-acl", "private"), ("x-oss-server-side-encryption", "AES256")];
    let list_v2 = "list-type=2&prefix=env:/&max-keys=1000&encoding-type=url&\
                   continuation-token=abc=/%2B&delimiter=/";
    vec![
        case(
            "GET",
            "",
            list,
            &[],
            "S1rvDyFjoigRBbg4fxfBZCRADPo=",
            "4087c7650559afd486972d0e06ed7d17f537758c3ade05fe124c060f3433d754",
        ),
        case(
            "HEAD",
            K,
            "objectMeta",
            &[],
            "3i9AN8mVoiloK6y6mqJhdd6M6aw=",
            "11d4fc40ba43b29308e55460c3e7c9e8bdc7b1638524bae3a1e56c4ddc7a2756",
        ),
        case(
            "GET",
            K,
            "",
            &[],
            "Xxy5yxEGeqwXSxuw0QhDmcMybGs=",
            "f231d77efea9b51f64a1b73eb28f21713102ec2428d9efeb6e217a5a8850a1c8",
        ),
        case(
            "PUT",
            K,
            "",
            &[JSON],
            "zoDVqWtoApESojmVUyPMev6NUUA=",
            "4e71e250a4633a0c1c032568182de9c3d7f5f0f8a8e6bd1beb11d7ff481d6fce",
        ),
        case(
            "PUT",
            K,
            "",
            &whole,
            "lLYTde3AUZKOjB4c64bzbisgDcA=",
            "7ebc1da57a2b2aa6cc2551f984b6ad4bb18b2c69cb34fcf8b28166f3c10cc5b0",
        ),
        case(
            "PUT",
            K,
            "",
            &whole_with_token,
            "IvdKW7Zs/U5lq/asiMOP0xl9bAo=",
            "6faaadd47f3b3cb33063bdd2ddf128401a99ecadd8c52644dbf6f576d77c5fd8",
        ),
        case(
            "PUT",
            LOCK,
            "",
            &[JSON, ("x-oss-forbid-overwrite", "true")],
            "lPzm53Rjq/S/+rH47UHwN+7xnXM=",
            "037f26e5cafa74537ee51f1a162b4bb7cf307d3baa7a213dd16b83400c724ee6",
        ),
        case(
            "DELETE",
            K,
            "",
            &[],
            "gOg1HD1zA9BXXB8DzMXySGnqFf8=",
            "7b2d5523378bc28904b93dedaa2961e900de1ff8be206ff1d3081efd203fa2f6",
        ),
        case(
            "GET",
            "",
            list_v2,
            &[],
            "c5l+rnVMW0f5fh7btv/VeQLvRqs=",
            "2f280dbf5bdcc5bed2b1a2a49dd47be409ee9dc039da988271b7018503f1a1b5",
        ),
        case(
            "GET",
            "",
            "versions&prefix=env:/",
            &[],
            "qIEkPR6aK5ZMbYiO0WLici1KzQM=",
            "8656724899e2511cf5bebc95f19dd88dea9e5d0e17d9843407bd406046a0bd8a",
        ),
        case(
            "GET",
            K,
            "versionId=CAEQ%2B/=",
            &[],
            "vlNBFvi8ClHjhIdi7sRY2O9TKzw=",
            "2c467abd8e3ce14df3c57c111afa13b648fd98aa0d96909209d2b01a72970249",
        ),
        case(
            "PUT",
            ODD,
            "acl",
            &[("x-oss-object-acl", "public-read")],
            "BqsgPNVVCQAuonwOc2tyWn3m9dM=",
            "cdeb0a12ce81dd6778e2c95495382e900d96ed8a14a22c95280f0b92e70ba17b",
        ),
        case(
            "GET",
            "",
            "bucketInfo",
            &[],
            "BmDJ5KCb1Vfm6PLMuR9xeoOvhVE=",
            "548f5911e9480214d1dd316eadf6f6e213b953c49bfb9b055c4ecdf54ba6ac01",
        ),
        case(
            "GET",
            "",
            list,
            &[token],
            "YK8EyqLW3p+AW916K/o7Zn3d5wM=",
            "7dbd2b540c48f4da04ca81751e8e044b6914737b8e26bd4e29da194989f76a23",
        ),
        case(
            "POST",
            LOCK,
            append,
            &[JSON],
            "NTgPUBhmPRFllmuwLO/PbTcoiZM=",
            "5c5e4626ba179aad4eac85b14134b124b6b99fa2087fea8fa9b72b6e3a093722",
        ),
        case(
            "POST",
            LOCK,
            append,
            &sealed,
            "weOeFbdqEMUMOBwvA6w4Hvow8To=",
            "3644e14547b3e8e275c675f40c3ba0cc0cfc28a3eb3139a71c03380d86845647",
        ),
        case(
            "GET",
            "",
            "versioning",
            &[],
            "nVDGr7x6X0+DR8Xqzud+VAZNqWw=",
            "08bb6a1ef7e6a4294f71e451aa1a16b1386989f9d0b88a8c20607adec6367554",
        ),
        case(
            "GET",
            "",
            "location",
            &[],
            "sh1yd1BsZMca81SHnJtYO4Q7J3g=",
            "d343927e0543da5987dab5a48d16cdcb5095d96a92888a1541ceedba076ae307",
        ),
    ]
}

#[test]
fn version_1_accepts_what_the_vendors_sdk_signs() {
    let now = time("2024-01-02T03:04:05Z");
    for case in cases() {
        let signed = call(
            &case,
            &[
                ("date", "Tue, 02 Jan 2024 03:04:05 GMT"),
                ("authorization", &format!("OSS AKIDEXAMPLE:{}", case.v1)),
            ],
        );
        let checked = check(&signed, &keys(token_of(&case)), None, now);
        assert!(checked.is_ok(), "{} {}?{}: {checked:?}", case.method, case.key, case.query);
    }
}

#[test]
fn version_4_accepts_what_the_vendors_sdks_sign() {
    let now = time("2024-01-02T03:04:05Z");
    for case in cases() {
        let scope = "AKIDEXAMPLE/20240102/cn-beijing/oss/aliyun_v4_request";
        for separator in [",", ", "] {
            let signed = call(
                &case,
                &[
                    ("x-oss-date", "20240102T030405Z"),
                    ("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
                    (
                        "authorization",
                        &format!(
                            "OSS4-HMAC-SHA256 Credential={scope}{separator}Signature={}",
                            case.v4
                        ),
                    ),
                ],
            );
            let checked = check(&signed, &keys(token_of(&case)), Some("cn-beijing"), now);
            assert!(checked.is_ok(), "{} {}?{}: {checked:?}", case.method, case.key, case.query);
        }
    }
}

#[test]
fn version_1_accepts_what_terraform_signs() {
    let token = [("x-oss-security-token", TOKEN)];
    let odd = "multi%2Flevel%2Fa%20b%2Bc~%C3%A9%2Fsub%20dir%2Fst%2Ate%21%28%27%29.tfstate";
    let full = [
        JSON,
        ("x-oss-acl", "public-read"),
        ("x-oss-security-token", TOKEN),
        ("x-oss-server-side-encryption", "AES256"),
    ];
    let list = "encoding-type=url&max-keys=1000&prefix=env%3A%2F";
    let state = "env%3A%2Fterraform.tfstate";
    for (date, case) in [
        ("23:56:28", case("GET", "", list, &[], "zd5/sKH19qLShMSkWbnI6oXKX4s=", "")),
        ("23:56:29", case("HEAD", state, "objectMeta", &[], "vuMI5Xf0CvIXq7RA8E6XUXno1PA=", "")),
        ("23:56:39", case("PUT", state, "", &[JSON], "GlCtdvlBh1GLwe703USB0+Z0SCw=", "")),
        ("23:56:40", case("GET", state, "", &[], "cJHnVFDmlwN+hGEqKpxIysyg9Xc=", "")),
        ("23:56:42", case("DELETE", K, "", &[], "81v4wTOORnR94xPwBtNyjc+N9ko=", "")),
        ("23:57:18", case("HEAD", odd, "objectMeta", &token, "wMzPK1BSalfGSGIpYwmH5Xujjq4=", "")),
        ("23:57:18", case("PUT", odd, "", &full, "X0PxbmPhpQVWwTYRDQFA6zLrbwM=", "")),
    ] {
        let signed = call(
            &case,
            &[
                ("date", &format!("Fri, 20 Nov 2026 {date} GMT")),
                ("authorization", &format!("OSS AKIDEXAMPLE:{}", case.v1)),
            ],
        );
        let ring = keys(token_of(&case).map(|_| TOKEN));
        let checked = check(&signed, &ring, None, time("2026-11-20T23:57:00Z"));
        assert!(checked.is_ok(), "{} {}?{}: {checked:?}", case.method, case.key, case.query);
    }
}

fn get_state(date: &str, authorization: &str) -> Call {
    let get = case("GET", K, "", &[], "", "");
    call(&get, &[("date", date), ("authorization", authorization)])
}

const DATE: &str = "Tue, 02 Jan 2024 03:04:05 GMT";
const RIGHT: &str = "OSS AKIDEXAMPLE:Xxy5yxEGeqwXSxuw0QhDmcMybGs=";

#[test]
fn a_clock_may_be_off_by_a_quarter_of_an_hour() {
    for (now, expected) in [
        ("2024-01-02T03:19:05Z", None),
        ("2024-01-02T02:49:05Z", None),
        ("2024-01-02T03:19:06Z", Some("RequestTimeTooSkewed")),
        ("2024-01-02T02:49:04Z", Some("RequestTimeTooSkewed")),
    ] {
        let checked = check(&get_state(DATE, RIGHT), &keys(None), None, time(now));
        assert_eq!(checked.err().map(|refusal| refusal.code).as_deref(), expected, "{now}");
    }
}

#[test]
fn what_is_not_signed_rightly_is_refused_for_its_reason() {
    let now = time("2024-01-02T03:04:05Z");
    let v4 = "OSS4-HMAC-SHA256 \
              Credential=AKIDEXAMPLE/20240102/cn-beijing/oss/aliyun_v4_request,Signature=0";
    for (date, authorization, expected) in [
        (DATE, "OSS AKIDEXAMPLE:AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "SignatureDoesNotMatch"),
        (DATE, "OSS SOMEBODY:Xxy5yxEGeqwXSxuw0QhDmcMybGs=", "InvalidAccessKeyId"),
        (DATE, "OSS AKIDEXAMPLE", "InvalidArgument"),
        (DATE, "OSS4-HMAC-SHA256 Credential=x", "InvalidArgument"),
        ("yesterday", RIGHT, "AccessDenied"),
        // Without the headers that version 4 lives on.
        (DATE, v4, "InvalidArgument"),
    ] {
        let checked = check(&get_state(date, authorization), &keys(None), None, now);
        assert_eq!(checked.unwrap_err().code, expected, "{authorization}");
    }
}

#[test]
fn version_4_is_bound_to_region_and_day() {
    let now = time("2024-01-02T03:04:05Z");
    let get = case(
        "GET",
        K,
        "",
        &[],
        "",
        "f231d77efea9b51f64a1b73eb28f21713102ec2428d9efeb6e217a5a8850a1c8",
    );
    for (day, region, expected) in [
        ("20240102", "cn-beijing", None),
        ("20240102", "cn-hangzhou", Some("InvalidArgument")),
        ("20240103", "cn-beijing", Some("InvalidArgument")),
    ] {
        let scope = format!("AKIDEXAMPLE/{day}/{region}/oss/aliyun_v4_request");
        let authorization = format!("OSS4-HMAC-SHA256 Credential={scope},Signature={}", get.v4);
        let signed = call(
            &get,
            &[
                ("x-oss-date", "20240102T030405Z"),
                ("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
                ("authorization", &authorization),
            ],
        );
        let checked = check(&signed, &keys(None), Some("cn-beijing"), now);
        assert_eq!(
            checked.err().map(|refusal| refusal.code).as_deref(),
            expected,
            "{day} {region}"
        );
    }
}
