//! Signatures from the vendor's SDKs, and from requests of real clients.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::credentials::Credentials;
use crate::sign::{Query, SignatureVersion, Signer, Unsigned, hex, sign_rpc, v4};

const STATE: &str = "env:/dev/terraform.tfstate";
const LOCK: &str = "env:/dev/terraform.tfstate.tflock";
const UNUSUAL: &str = "a b+c~é/st*te!(').tfstate";
const TOKEN: &str = "STSTOKEN+/=";

struct Vector {
    name: &'static str,
    method: &'static str,
    key: Option<&'static str>,
    query: Query,
    headers: Vec<(&'static str, String)>,
    has_token: bool,
    v1: &'static str,
    v4: &'static str,
    /// The SHA-256 of the canonical request of V4.
    canonical: &'static str,
}

impl Vector {
    fn new(
        name: &'static str,
        method: &'static str,
        key: Option<&'static str>,
        query: &[(&'static str, &str)],
        [v1, v4, canonical]: [&'static str; 3],
    ) -> Self {
        let value = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let query = query.iter().map(|(name, text)| (*name, value(text))).collect();
        Self { name, method, key, query, headers: Vec::new(), has_token: false, v1, v4, canonical }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn with_json(self) -> Self {
        self.with("content-type", "application/json")
    }

    fn with_token(mut self) -> Self {
        self.has_token = true;
        self
    }

    fn credentials(&self) -> Credentials {
        credentials(self.has_token.then_some(TOKEN))
    }

    fn unsigned(&self) -> Unsigned<'_> {
        Unsigned {
            method: self.method,
            bucket: "tfbkt",
            key: self.key,
            query: &self.query,
            headers: &self.headers,
        }
    }

    fn signed(&self, version: SignatureVersion) -> Vec<(&'static str, String)> {
        let now = "2024-01-02T03:04:05Z".parse().unwrap();
        let credentials = self.credentials();
        Signer { version, region: "cn-beijing", credentials: &credentials, now }
            .sign(self.unsigned())
    }
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials::new("AKIDEXAMPLE", "SECRETEXAMPLE", token.map(str::to_owned))
}

fn header<'a>(headers: &'a [(&'static str, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn vectors() -> Vec<Vector> {
    let listing = [("encoding-type", "url"), ("max-keys", "1000"), ("prefix", "env:/")];
    let second_page = [
        ("list-type", "2"),
        ("prefix", "env:/"),
        ("max-keys", "1000"),
        ("encoding-type", "url"),
        ("continuation-token", "abc=/+"),
        ("delimiter", "/"),
    ];
    let append = [("append", ""), ("position", "0")];
    let put = |name, signatures| {
        Vector::new(name, "PUT", Some(STATE), &[], signatures)
            .with_json()
            .with("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
            .with("x-oss-object-acl", "private")
            .with("x-oss-server-side-encryption", "AES256")
    };
    vec![
        Vector::new(
            "1: GET",
            "GET",
            None,
            &listing,
            [
                "S1rvDyFjoigRBbg4fxfBZCRADPo=",
                "4087c7650559afd486972d0e06ed7d17f537758c3ade05fe124c060f3433d754",
                "df8923c168f9e7c80ad0b0475abf2236988fe2ba30b711524445dd4b6c933114",
            ],
        ),
        Vector::new(
            "2: HEAD",
            "HEAD",
            Some(STATE),
            &[("objectMeta", "")],
            [
                "3i9AN8mVoiloK6y6mqJhdd6M6aw=",
                "11d4fc40ba43b29308e55460c3e7c9e8bdc7b1638524bae3a1e56c4ddc7a2756",
                "0079457efeabf813e85e6ce4b6d82195fd5452b06301c7c2d8cde5219d470964",
            ],
        ),
        Vector::new(
            "3: GET",
            "GET",
            Some(STATE),
            &[],
            [
                "Xxy5yxEGeqwXSxuw0QhDmcMybGs=",
                "f231d77efea9b51f64a1b73eb28f21713102ec2428d9efeb6e217a5a8850a1c8",
                "7914c53af21fdc44d2c5132c9c3d049cd0b7e8496e1952846df487b715ca2769",
            ],
        ),
        Vector::new(
            "4: PUT",
            "PUT",
            Some(STATE),
            &[],
            [
                "zoDVqWtoApESojmVUyPMev6NUUA=",
                "4e71e250a4633a0c1c032568182de9c3d7f5f0f8a8e6bd1beb11d7ff481d6fce",
                "f3bb1ee5829cc145ea13ad92104d80c627d65a616fbae8c408077ee3a7f78a33",
            ],
        )
        .with_json(),
        put(
            "5: PUT with headers",
            [
                "lLYTde3AUZKOjB4c64bzbisgDcA=",
                "7ebc1da57a2b2aa6cc2551f984b6ad4bb18b2c69cb34fcf8b28166f3c10cc5b0",
                "d9f2220de20bf6b98c76bf851059189f3338eddd49474f6ef3919c3dfd55da63",
            ],
        ),
        put(
            "6: the same with a token",
            [
                "IvdKW7Zs/U5lq/asiMOP0xl9bAo=",
                "6faaadd47f3b3cb33063bdd2ddf128401a99ecadd8c52644dbf6f576d77c5fd8",
                "26c7e58994e9727f7a58036e9eac98cff7748aaf7da13d90d1d1ca5121c0fe30",
            ],
        )
        .with_token(),
        Vector::new(
            "7: PUT",
            "PUT",
            Some(LOCK),
            &[],
            [
                "lPzm53Rjq/S/+rH47UHwN+7xnXM=",
                "037f26e5cafa74537ee51f1a162b4bb7cf307d3baa7a213dd16b83400c724ee6",
                "8151ef3e9f459552218679d3653532e338ee2eafe840551683e8a44c8a5af7d0",
            ],
        )
        .with_json()
        .with("x-oss-forbid-overwrite", "true"),
        Vector::new(
            "8: DELETE",
            "DELETE",
            Some(STATE),
            &[],
            [
                "gOg1HD1zA9BXXB8DzMXySGnqFf8=",
                "7b2d5523378bc28904b93dedaa2961e900de1ff8be206ff1d3081efd203fa2f6",
                "7f8bd003a5d562e1fa238f890c0e2d86baf2496a8fa4d00dab11a236bfbf0670",
            ],
        ),
        Vector::new(
            "9: GET",
            "GET",
            None,
            &second_page,
            [
                "c5l+rnVMW0f5fh7btv/VeQLvRqs=",
                "2f280dbf5bdcc5bed2b1a2a49dd47be409ee9dc039da988271b7018503f1a1b5",
                "cf1549af5540bf1432a425d60ede17328720308451309406cf1f717f0caad03a",
            ],
        ),
        Vector::new(
            "10: GET",
            "GET",
            None,
            &[("versions", ""), ("prefix", "env:/")],
            [
                "qIEkPR6aK5ZMbYiO0WLici1KzQM=",
                "8656724899e2511cf5bebc95f19dd88dea9e5d0e17d9843407bd406046a0bd8a",
                "8dec2edb8c93a84f1d9fdd80b947fae87851d008cbad23500282cf169329bee2",
            ],
        ),
        Vector::new(
            "11: GET",
            "GET",
            Some(STATE),
            &[("versionId", "CAEQ+/=")],
            [
                "vlNBFvi8ClHjhIdi7sRY2O9TKzw=",
                "2c467abd8e3ce14df3c57c111afa13b648fd98aa0d96909209d2b01a72970249",
                "c33e73438601f678aeb231d59e31e865a78a3cac159f084bd6ba6770dce52a72",
            ],
        ),
        Vector::new(
            "12: PUT",
            "PUT",
            Some(UNUSUAL),
            &[("acl", "")],
            [
                "BqsgPNVVCQAuonwOc2tyWn3m9dM=",
                "cdeb0a12ce81dd6778e2c95495382e900d96ed8a14a22c95280f0b92e70ba17b",
                "4de31da9dac7677992e44617eaf1abc0b11df1b66c94d2402a436041c1c3691c",
            ],
        )
        .with("x-oss-object-acl", "public-read"),
        Vector::new(
            "13: GET",
            "GET",
            None,
            &[("bucketInfo", "")],
            [
                "BmDJ5KCb1Vfm6PLMuR9xeoOvhVE=",
                "548f5911e9480214d1dd316eadf6f6e213b953c49bfb9b055c4ecdf54ba6ac01",
                "f8c12b367b67cb10e080fef8ed6bf01cd4e98bb5c9aa447fe5a10a02140fffb9",
            ],
        ),
        Vector::new(
            "14: GET",
            "GET",
            None,
            &listing,
            [
                "YK8EyqLW3p+AW916K/o7Zn3d5wM=",
                "7dbd2b540c48f4da04ca81751e8e044b6914737b8e26bd4e29da194989f76a23",
                "e06b80b4881ff1b4c0432f8890875532db16fabc9b19b41a2aa06ba4f208ec40",
            ],
        )
        .with_token(),
        Vector::new(
            "append",
            "POST",
            Some(LOCK),
            &append,
            [
                "NTgPUBhmPRFllmuwLO/PbTcoiZM=",
                "5c5e4626ba179aad4eac85b14134b124b6b99fa2087fea8fa9b72b6e3a093722",
                "",
            ],
        )
        .with_json(),
        Vector::new(
            "append with headers",
            "POST",
            Some(LOCK),
            &append,
            [
                "weOeFbdqEMUMOBwvA6w4Hvow8To=",
                "3644e14547b3e8e275c675f40c3ba0cc0cfc28a3eb3139a71c03380d86845647",
                "",
            ],
        )
        .with_json()
        .with("x-oss-object-acl", "private")
        .with("x-oss-server-side-encryption", "AES256"),
        Vector::new(
            "versioning",
            "GET",
            None,
            &[("versioning", "")],
            [
                "nVDGr7x6X0+DR8Xqzud+VAZNqWw=",
                "08bb6a1ef7e6a4294f71e451aa1a16b1386989f9d0b88a8c20607adec6367554",
                "",
            ],
        ),
        Vector::new(
            "location",
            "GET",
            None,
            &[("location", "")],
            [
                "sh1yd1BsZMca81SHnJtYO4Q7J3g=",
                "d343927e0543da5987dab5a48d16cdcb5095d96a92888a1541ceedba076ae307",
                "",
            ],
        ),
    ]
}

#[test]
fn v1_signs_as_the_vendors_clients_do() {
    for vector in vectors() {
        let headers = vector.signed(SignatureVersion::V1);
        let expected = format!("OSS AKIDEXAMPLE:{}", vector.v1);
        assert_eq!(header(&headers, "authorization"), expected, "{}", vector.name);
        assert_eq!(header(&headers, "date"), "Tue, 02 Jan 2024 03:04:05 GMT");
    }
}

#[test]
fn v4_signs_as_the_vendors_clients_do() {
    for vector in vectors() {
        let headers = vector.signed(SignatureVersion::V4);
        if !vector.canonical.is_empty() {
            let added: Vec<_> =
                headers.iter().filter(|(name, _)| *name != "authorization").cloned().collect();
            let canonical = v4::canonical_request(vector.unsigned(), &added);
            assert_eq!(
                hex(&Sha256::digest(&canonical)),
                vector.canonical,
                "{}: {canonical}",
                vector.name
            );
        }
        let expected = format!(
            "OSS4-HMAC-SHA256 \
             Credential=AKIDEXAMPLE/20240102/cn-beijing/oss/aliyun_v4_request,Signature={}",
            vector.v4
        );
        assert_eq!(header(&headers, "authorization"), expected, "{}", vector.name);
        assert_eq!(header(&headers, "x-oss-date"), "20240102T030405Z");
    }
}

/// Requests of Terraform 1.11.4.
#[test]
fn v1_signs_as_native_clients_were_seen_to() {
    let unusual = "multi/level/a b+c~é/sub dir/st*te!(').tfstate";
    let json = || vec![("content-type", "application/json".to_owned())];
    let encrypted = || {
        let mut headers = json();
        headers.push(("x-oss-acl", "public-read".to_owned()));
        headers.push(("x-oss-server-side-encryption", "AES256".to_owned()));
        headers
    };
    let listing: Query = vec![
        ("encoding-type", Some("url".to_owned())),
        ("max-keys", Some("1000".to_owned())),
        ("prefix", Some("env:/".to_owned())),
    ];
    let meta: Query = vec![("objectMeta", None)];
    let state = "env:/terraform.tfstate";
    for (method, key, query, headers, token, second, signature) in [
        ("GET", None, listing, vec![], None, "23:56:28", "zd5/sKH19qLShMSkWbnI6oXKX4s="),
        (
            "HEAD",
            Some(state),
            meta.clone(),
            vec![],
            None,
            "23:56:29",
            "vuMI5Xf0CvIXq7RA8E6XUXno1PA=",
        ),
        ("PUT", Some(state), vec![], json(), None, "23:56:39", "GlCtdvlBh1GLwe703USB0+Z0SCw="),
        ("GET", Some(state), vec![], vec![], None, "23:56:40", "cJHnVFDmlwN+hGEqKpxIysyg9Xc="),
        ("DELETE", Some(STATE), vec![], vec![], None, "23:56:42", "81v4wTOORnR94xPwBtNyjc+N9ko="),
        (
            "HEAD",
            Some(unusual),
            meta,
            vec![],
            Some(TOKEN),
            "23:57:18",
            "wMzPK1BSalfGSGIpYwmH5Xujjq4=",
        ),
        (
            "PUT",
            Some(unusual),
            vec![],
            encrypted(),
            Some(TOKEN),
            "23:57:18",
            "X0PxbmPhpQVWwTYRDQFA6zLrbwM=",
        ),
    ] {
        let now: Timestamp = format!("2026-11-20T{second}Z").parse().unwrap();
        let credentials = credentials(token);
        let signer =
            Signer { version: SignatureVersion::V1, region: "", credentials: &credentials, now };
        let request = Unsigned { method, bucket: "tfbkt", key, query: &query, headers: &headers };
        let headers = signer.sign(request);
        assert_eq!(
            header(&headers, "authorization"),
            format!("OSS AKIDEXAMPLE:{signature}"),
            "{method} {key:?}"
        );
    }
}

#[test]
fn calls_by_parameters_are_signed_as_native_clients_were_seen_to() {
    let common = [
        ("AccessKeyId", "AKIDEXAMPLE"),
        ("Format", "JSON"),
        ("RegionId", "cn-beijing"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureType", ""),
        ("SignatureVersion", "1.0"),
    ];
    let endpoints = [
        ("Action", "DescribeEndpoints"),
        ("Id", "cn-beijing"),
        ("SecurityToken", ""),
        ("ServiceCode", "oss"),
        ("SignatureNonce", "7149aa1a257822f28243eb8bffa8cdc0"),
        ("Timestamp", "2026-11-20T23:58:50Z"),
        ("Version", "2015-06-12"),
    ];
    let role = [
        ("Action", "AssumeRole"),
        ("DurationSeconds", "1800"),
        ("Policy", "{\"Version\":\"1\"}"),
        ("RoleArn", "acs:ram::123456:role/tf"),
        ("RoleSessionName", "sess"),
        ("SecurityToken", "BASETOK"),
        ("SignatureNonce", "c5b51d181a2b2177875a9d85e4e35897"),
        ("Timestamp", "2026-11-20T23:59:07Z"),
        ("Version", "2015-04-01"),
    ];
    for (parameters, signature) in [
        (&endpoints[..], "hsxTFdg3voZUsmjxQ%2BaZzLwdV08%3D"),
        (&role[..], "mgWBoT3TUadJ5uajsIPrUNIZ6r4%3D"),
    ] {
        let all: Vec<_> = common.iter().chain(parameters).copied().collect();
        let signed = sign_rpc("POST", &all, &credentials(None));
        assert!(signed.ends_with(&format!("&Signature={signature}")), "{signed}");
    }
}
