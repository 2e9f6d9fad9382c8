//! What a single value may be: the check that a settings file and an environment variable share.

use std::net::SocketAddr;

use toml::Value;
use toml::de::DeValue;
use url::Url;

use super::callouts;
use super::keys;
use super::secret::SecretRef;

/// The kind of one value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A whole number between two limits, both allowed.
    Whole(i64, i64),
    /// Yes or no.
    Switch,
    /// An IP address and a port.
    Address,
    /// The database's URL.
    StorageUrl,
    /// Where an API is.
    BaseUrl,
    /// A host, or all below one.
    Host,
    /// An IP address, or a block of them.
    AddressBlock,
    /// A file or folder.
    Path,
    /// What can stand in a header.
    HeaderValue,
    /// A reference to a secret.
    Secret,
    /// An amount of a unit of account.
    Amount,
}

/// The address of a database, as far as it tells which sort it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StorageUrl<'a> {
    /// A file.
    Sqlite {
        /// Its path, as written.
        path: &'a str,
    },
    /// A server.
    Postgres {
        /// Whether the address holds a password.
        password: bool,
    },
}

impl<'a> StorageUrl<'a> {
    /// Reads an address; the error says what is wrong with it, without repeating it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => match Url::parse(text) {
                Err(_) => Err("this is not a URL: postgres://USER@HOST:PORT/DATABASE"),
                Ok(url) if url.path().trim_matches('/').is_empty() => {
                    Err("the name of the database is missing: postgres://USER@HOST:PORT/DATABASE")
                }
                Ok(url) => Ok(Self::Postgres {
                    password: url.password().is_some()
                        || url.query_pairs().any(|(name, _)| name == "password"),
                }),
            },
            Some(("sqlite", "" | ":memory:")) => Err("the name of the file is missing"),
            Some(("sqlite", path)) if path.contains(['?', '#']) => {
                Err("parameters are not taken here, only the file's path")
            }
            Some(("sqlite", path)) => Ok(Self::Sqlite { path }),
            _ => Err("this begins neither with sqlite:// nor with postgres://"),
        }
    }
}

/// Why a value was refused.
#[derive(Debug)]
pub(super) struct Fault {
    /// What would be right, as the end of "`key` must be ...".
    pub(super) expected: String,
    /// What is wrong with this one.
    pub(super) found: String,
    /// Whether the value may be shown. Never for what could be a secret.
    pub(super) may_be_shown: bool,
}

/// The longest header value taken.
const HEADER_BYTES_MAX: usize = 64;

impl Kind {
    /// Checks a value of a settings file.
    pub(super) fn read(self, value: &DeValue<'_>) -> Result<Value, Fault> {
        match value {
            DeValue::String(text) => self.text(text),
            DeValue::Integer(number) => {
                let digits = number.to_string();
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => self.whole(number),
                    Err(_) => Err(self.fault(format!("{digits} is out of range"))),
                }
            }
            DeValue::Boolean(value) if matches!(self, Self::Switch) => Ok(Value::Boolean(*value)),
            other => Err(self.fault(format!("this is {}", type_name(other)))),
        }
    }

    /// Checks the value of an environment variable.
    pub(super) fn read_variable(self, text: &str) -> Result<Value, Fault> {
        match self {
            Self::Whole(..) => match text.trim().parse() {
                Ok(number) => self.whole(number),
                Err(_) => Err(self.fault(format!("`{text}` is not a whole number"))),
            },
            Self::Switch => match text.trim().parse() {
                Ok(value) => Ok(Value::Boolean(value)),
                Err(_) => Err(self.fault(format!("`{text}` is neither"))),
            },
            _ => self.text(text),
        }
    }

    /// What would be right, as the end of "`key` must be ...".
    fn expected(self) -> String {
        match self {
            Self::Choice(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                match quoted.as_slice() {
                    [others @ .., last] if !others.is_empty() => {
                        format!("{} or {last}", others.join(", "))
                    }
                    _ => quoted.join(""),
                }
            }
            Self::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".to_owned(),
            Self::Address => "an IP address and a port, such as \"127.0.0.1:8080\"".to_owned(),
            Self::StorageUrl => "a URL, such as \"sqlite://bookgate.db\" or \
                                 \"postgres://bookgate@db.example.org/bookgate\", or a reference to one"
                .to_owned(),
            Self::BaseUrl => "an http or https URL, such as \"https://api.cal.com\"".to_owned(),
            Self::Host => {
                "a host, such as \"crm.example.org\", or \"*.corp.example\" for all below one"
                    .to_owned()
            }
            Self::AddressBlock => {
                "an IP address or a block of them, such as \"10.1.0.7\" or \"10.1.0.0/16\"".to_owned()
            }
            Self::Path => "a path".to_owned(),
            Self::HeaderValue => {
                format!("1 to {HEADER_BYTES_MAX} visible ASCII characters, such as \"2024-08-13\"")
            }
            Self::Amount => "an amount in quotes, such as \"5\" or \"2.50\"".to_owned(),
            Self::Secret => "a reference: \"env:NAME\" or \"file:PATH\"".to_owned(),
        }
    }

    fn whole(self, number: i64) -> Result<Value, Fault> {
        match self {
            Self::Whole(min, max) if (min..=max).contains(&number) => Ok(Value::Integer(number)),
            Self::Whole(min, _) if number < min => {
                Err(self.fault(format!("{number} is too small")))
            }
            Self::Whole(..) => Err(self.fault(format!("{number} is too large"))),
            _ => Err(self.fault("this is a number".to_owned())),
        }
    }

    fn text(self, text: &str) -> Result<Value, Fault> {
        let found = match self {
            Self::Choice(words) => {
                (!words.contains(&text)).then(|| match keys::nearest(text, words.iter().copied()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => "there is no such choice".to_owned(),
                })
            }
            Self::Whole(..) => Some("this is a text: write the number without quotes".to_owned()),
            Self::Switch => Some("this is a text: write true or false without quotes".to_owned()),
            Self::Address => text
                .parse::<SocketAddr>()
                .is_err()
                .then(|| "not an address with a port".to_owned()),
            Self::StorageUrl => return self.storage_url(text),
            Self::BaseUrl => return self.base_url(text),
            Self::Host => callouts::host(text).err().map(str::to_owned),
            Self::AddressBlock => callouts::address_block(text).err(),
            Self::Path => text.is_empty().then(|| "this is empty".to_owned()),
            Self::HeaderValue => {
                let fits = (1..=HEADER_BYTES_MAX).contains(&text.len());
                let visible = text.bytes().all(|b| b.is_ascii_graphic());
                (!(fits && visible)).then(|| "this cannot stand in a header".to_owned())
            }
            Self::Amount => (!is_amount(text)).then(|| "this is none".to_owned()),
            Self::Secret => SecretRef::parse(text)
                .is_err()
                .then(|| "not a reference (and not repeated here)".to_owned()),
        };
        match found {
            Some(found) => Err(self.fault(found)),
            None => Ok(Value::String(text.to_owned())),
        }
    }

    /// A URL may carry a password, so it is only shown if it has none.
    fn storage_url(self, text: &str) -> Result<Value, Fault> {
        let found = match StorageUrl::parse(text) {
            _ if SecretRef::parse(text).is_ok() => return Ok(Value::String(text.to_owned())),
            Ok(StorageUrl::Postgres { password: true }) => {
                "a password does not belong here: write url = \"env:NAME\" and put the whole URL \
                 into that variable, or leave the password to PGPASSWORD"
            }
            Ok(_) => return Ok(Value::String(text.to_owned())),
            Err(found) => found,
        };
        Err(Fault {
            may_be_shown: !text.contains('@'),
            ..self.fault(found.to_owned())
        })
    }

    /// A URL may carry a password, so it is only shown if it has none.
    fn base_url(self, text: &str) -> Result<Value, Fault> {
        let found = match Url::parse(text) {
            Err(error) => error.to_string(),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                format!("{} is not http or https", url.scheme())
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                "a user name or password does not belong here".to_owned()
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                "nothing may follow the path: paths are added to it".to_owned()
            }
            Ok(_) => return Ok(Value::String(text.to_owned())),
        };
        Err(Fault {
            may_be_shown: !text.contains(['@', '?']),
            ..self.fault(found)
        })
    }

    fn fault(self, found: String) -> Fault {
        Fault {
            expected: self.expected(),
            found,
            may_be_shown: !matches!(self, Self::Secret),
        }
    }
}

/// Digits, with a decimal point perhaps. How many decimals there may be is the unit's to say.
fn is_amount(text: &str) -> bool {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(decimals)
}

/// What a TOML value is, as a person would say it.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
