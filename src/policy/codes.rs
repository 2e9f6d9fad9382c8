//! The stable codes of policy diagnostics. A code never changes its meaning and is never given to
//! another rule.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The set is not activated.
    Error,
    /// Probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $severity:ident, $rule:literal;)*) => {
        /// One rule that a policy file may break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $rule] $name,)*
        }

        impl Code {
            /// All codes, for the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How bad breaking this rule is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// The rule in one sentence.
            pub fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }
        }
    };
}

codes! {
    // The file as a whole.
    FileTooLarge = "BG0001", Error, "A policy file is at most 1 MiB.";
    Syntax = "BG0002", Error, "A policy file is TOML 1.0.";
    TooManyFiles = "BG0003", Error, "At most 1,000 policy files are loaded.";
    Unreadable = "BG0004", Error, "The policies' folder and all policy files in it can be read.";
    // Keys and values.
    MissingKey = "BG0101", Error, "A required key is missing.";
    WrongType = "BG0102", Error, "A value has the wrong type.";
    UnknownKey = "BG0103", Error, "A key is not known here.";
    NotAllowed = "BG0104", Error, "A value is not one of the allowed ones.";
    NotAnAmount = "BG0105", Error, "An amount is a decimal number written as text, with no more decimals than its unit.";
    NotADuration = "BG0106", Error, "A duration is written like \"90m\", \"24h\", \"60d\" or \"1h30m\".";
    OutOfRange = "BG0107", Error, "A number is outside its range.";
    NotAnId = "BG0108", Error, "An id is lower-case letters, digits and hyphens, at most 64.";
    UnknownTimeZone = "BG0109", Error, "A time zone is an IANA name such as \"Europe/London\".";
    NotATime = "BG0110", Error, "A date or time is not of the kind that is needed.";
    TooMany = "BG0111", Error, "A list or text is longer than its limit.";
    BadPattern = "BG0112", Error, "A pattern is a regular expression of limited size.";
    UnknownSchema = "BG0113", Error, "The first line of a policy is `schema = 1`.";
    NotYet = "BG0114", Error, "A feature is not available in this version.";
    NotAnAddress = "BG0115", Error, "An entry is an e-mail address, a domain, or `*.` and a domain.";
    UnknownUnit = "BG0116", Error, "A unit of credits is one that the settings define.";
    Nothing = "BG0117", Error, "A criterion says what it checks.";
    NotALanguage = "BG0118", Error, "A message's language is a tag such as \"de\" or \"pt-BR\".";
    BadExpression = "BG0119", Error, "An expression is written in that part of CEL that policies use.";
    ExpressionTooLarge = "BG0120", Error, "An expression is short, and so is the work that it makes.";
    NotACalloutUrl = "BG0121", Error, "A callout's address is absolute, `https`, and without a password.";
    // Meaning.
    UnknownKind = "BG0201", Error, "A criterion's kind is one of the known kinds.";
    UnknownCriterion = "BG0202", Error, "Conditions name criteria and groups of the same file.";
    Unused = "BG0203", Warning, "Every criterion is used in a condition.";
    DuplicateId = "BG0204", Error, "Criterion ids are unique in a file.";
    AnyOfOne = "BG0205", Warning, "`any` with a single item says the same as the item.";
    MinAboveMax = "BG0206", Error, "A minimum is not above its maximum.";
    EmptyList = "BG0207", Error, "A list that decides something is not empty.";
    DuplicatePolicy = "BG0208", Error, "Policy ids are unique.";
    UnknownPlaceholder = "BG0209", Error, "A message uses only placeholders that its kind offers.";
    BadTemplate = "BG0210", Error, "Braces in a message belong to a placeholder, or are doubled.";
    AcceptsAll = "BG0211", Warning, "A policy has at least one criterion.";
    Tie = "BG0212", Error, "No two enforced policies of equal rank match the same booking.";
    ShadowOfNobody = "BG0213", Error, "`shadow_of` names another policy of the same kind.";
    UnreachableRefund = "BG0214", Warning, "Refund lines go from the longest notice to the shortest.";
    NoPrice = "BG0215", Error, "A credit criterion has a price, its own or the policy's.";
    GuardrailPrice = "BG0216", Error, "A guardrail only refuses, so it has no price.";
    Cycle = "BG0217", Error, "No group, `when` or `waive_if` rests on itself.";
    RestsOnShadow = "BG0218", Error, "`when` and `waive_if` do not rest on criteria in shadow, which change nothing.";
    UnknownGroup = "BG0219", Error, "`use` names a group of another policy.";
    AlwaysMet = "BG0220", Warning, "A criterion can refuse somebody.";
    OldShadow = "BG0221", Warning, "A shadow policy is watched for 60 days at the most.";
    UnknownName = "BG0222", Error, "An expression looks at what is known of a booking.";
    NotAnAnswer = "BG0223", Error, "An expression says true or false.";
    HostNotAllowed = "BG0224", Error, "A callout asks a host that the settings allow.";
    OpenOnError = "BG0225", Warning, "A callout that gets no answer does not let everybody in.";
    UnknownEventType = "BG0226", Warning, "An event type that a policy is for is one that its providers have.";
    // Lists.
    UnknownList = "BG0301", Error, "A list that is named is defined under `[lists]`.";
    UnreadableList = "BG0302", Error, "A list's file, or its copy of a server's, can be read.";
    BadListEntry = "BG0303", Error, "A list's file has one address, domain or name a line.";
    ListTooLong = "BG0304", Error, "A list has at most 1,000,000 lines.";
    UnusedList = "BG0305", Warning, "Every list is used by a criterion.";
    BadCalendar = "BG0306", Error, "A calendar is an iCalendar file with events.";
    NoCopy = "BG0307", Note, "A list that a server keeps is read from the daemon's copy of it.";
    // Tests inside the file.
    TestFailed = "BG0401", Error, "A policy passes its own tests.";
    NoTests = "BG0402", Note, "A policy has tests.";
    NeverFails = "BG0403", Note, "Every criterion is seen failing in some test.";
    NeverPasses = "BG0404", Note, "Every criterion is seen passing in some test.";
    // Secrets.
    InlineSecret = "BG0501", Error, "A secret is only named, by \"env:NAME\" or \"file:PATH\".";
    UnreadableSecret = "BG0502", Error, "A secret that is named can be looked up.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let sorted: BTreeSet<_> = codes.iter().copied().collect();
        assert_eq!(codes, sorted.into_iter().collect::<Vec<_>>());
    }
}
