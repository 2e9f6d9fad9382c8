//! Encrypted connections to a real server, with certificates of an authority of the test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

use super::refused::{home_at, says};
use crate::cli::home::Home;
use crate::rig::postgres::{Postgres, ROLE, Stop};

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for a server of this name or address, and its key.
    fn certify(&self, name: String) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// An empty database on a server that shows a certificate for `name`, and takes no other connections than
/// encrypted ones.
fn encrypting(authority: &Authority, name: impl Fn(&Postgres) -> String) -> Option<Postgres> {
    let mut cluster = Postgres::start(10)?;
    let (certificate, key) = authority.certify(name(&cluster));
    cluster.encrypt(&certificate, &key);
    cluster.admit(&format!("hostssl all {ROLE} all trust"));
    cluster.stop(Stop::Fast);
    cluster.resume();
    Some(cluster)
}

fn its_address(cluster: &Postgres) -> String {
    cluster.address().ip().to_string()
}

/// A home on a database of its own there.
fn home(cluster: &Postgres, tls: &str, authority: Option<&Authority>) -> (Home, String) {
    let database = cluster.create_database();
    let mut home = home_at(&cluster.url(&database));
    home.set("BOOKGATE__STORAGE__TLS", tls);
    if let Some(authority) = authority {
        home.write("authority.pem", &authority.0.pem());
        home.set("BOOKGATE__STORAGE__TLS_ROOT_CERTIFICATE", "authority.pem");
    }
    (home, database)
}

/// Starts a daemon, and asks the server how it is connected.
fn works_encrypted(cluster: &Postgres, (home, database): &(Home, String)) {
    let daemon = home.serve();
    let sql = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE datname = current_database() AND usename = 'bookgate'";
    assert_eq!(cluster.sql(database, sql), "t");
    home.run(&["webhook", "send", &daemon.webhooks()]).done();
    let stored = "SELECT count(*) FROM delivery";
    assert_eq!(cluster.sql(database, stored), "1", "not in the journal");
    assert_eq!(daemon.stop(), Some(0));
}

/// What a command says that is refused; a daemon says the same, and does not start.
fn refusal((home, _): &(Home, String)) -> String {
    let said = home.run(&["migrate"]).failed(1);
    let said_by_daemon = home.run(&["serve"]).failed(1);
    assert!(said_by_daemon.contains(said.trim()), "{said_by_daemon}");
    said
}

#[test]
fn an_encrypted_connection_works_and_the_server_is_known_by_its_certificate() {
    let (ours, other) = (Authority::new(), Authority::new());
    let Some(cluster) = encrypting(&ours, its_address) else {
        return;
    };
    for (tls, authority) in [
        ("prefer", None),
        ("require", None),
        ("verify-ca", Some(&ours)),
        ("verify-full", Some(&ours)),
    ] {
        works_encrypted(&cluster, &home(&cluster, tls, authority));
    }
    for tls in ["verify-ca", "verify-full"] {
        for authority in [None, Some(&other)] {
            let said = refusal(&home(&cluster, tls, authority));
            says(
                &said,
                &["signed by nobody who is trusted", "tls_root_certificate"],
            );
        }
    }
    let said = refusal(&home(&cluster, "disable", None));
    says(
        &said,
        &["no encryption", "28000", "storage.tls = \"verify-full\""],
    );
}

#[test]
fn a_certificate_for_another_name_is_refused_where_names_count() {
    let ours = Authority::new();
    let Some(cluster) = encrypting(&ours, |_| "db.example.org".to_owned()) else {
        return;
    };
    let said = refusal(&home(&cluster, "verify-full", Some(&ours)));
    let address = format!("is not for {}", its_address(&cluster));
    says(&said, &[&address, "db.example.org", "storage.url"]);
    works_encrypted(&cluster, &home(&cluster, "verify-ca", Some(&ours)));
}

#[test]
fn a_server_that_does_not_encrypt_is_refused_where_encryption_is_asked_for() {
    let Some(cluster) = Postgres::shared() else {
        return;
    };
    for tls in ["require", "verify-ca", "verify-full"] {
        let said = refusal(&home(cluster, tls, None));
        says(&said, &["does not encrypt", "ssl = on", "\"disable\""]);
    }
}
