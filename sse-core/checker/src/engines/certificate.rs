use std::process::Command;

use tempfile::TempDir;

use super::postgres_server::{as_nobody, folder};

/// A certificate that signs itself, with its key, in a folder that a PostgreSQL under test can read.
pub struct Certificate(TempDir);

impl Certificate {
    /// Creates one for this host name.
    ///
    /// # Panics
    /// If there is no `openssl`: the message names the command that installs it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let certificate = Self(folder());
        let mut create = Command::new("openssl");
        create
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "2", "-subj", &format!("/CN={name}")])
            .args(["-addext", &format!("subjectAltName=DNS:{name}")])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &certificate.file("key.pem"), "-out", &certificate.file("cert.pem")])
            .current_dir("/");
        let created = as_nobody(&mut create).output().unwrap_or_else(|error| {
            panic!("openssl cannot be started ({error}); install it: apt-get install -y openssl")
        });
        assert!(created.status.success(), "{created:?}");
        certificate
    }

    /// The settings with which a PostgreSQL uses it.
    #[must_use]
    pub fn settings(&self) -> [String; 3] {
        let (cert, key) = (self.file("cert.pem"), self.file("key.pem"));
        ["ssl=on".to_owned(), format!("ssl_cert_file={cert}"), format!("ssl_key_file={key}")]
    }

    /// The certificate in PEM, which a client trusts as a root.
    ///
    /// # Panics
    /// If it was removed.
    #[must_use]
    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.0.path().join("cert.pem")).unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}
