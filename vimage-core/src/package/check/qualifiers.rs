//! Qualifiers: what values of a property may be, in OVF's words (DSP0243 1.1, 9.5; DSP0004 for their meaning).

use nom::IResult;
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{alpha1, char, multispace0};
use nom::combinator::{all_consuming, opt, recognize};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, pair, terminated};
use std::fmt;

/// A restriction of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limit {
    /// At least so many characters.
    MinLen(u64),
    /// At most so many characters.
    MaxLen(u64),
    /// At least this number.
    MinValue(f64),
    /// At most this number.
    MaxValue(f64),
    /// One of these.
    ValueMap(Vec<String>),
}

impl Limit {
    /// Whether `value` keeps within it.
    pub(super) fn allows(&self, value: &str) -> bool {
        let length = || value.chars().count() as u64;
        match self {
            Limit::MinLen(least) => length() >= *least,
            Limit::MaxLen(most) => length() <= *most,
            Limit::MinValue(least) => value.parse::<f64>().is_ok_and(|value| value >= *least),
            Limit::MaxValue(most) => value.parse::<f64>().is_ok_and(|value| value <= *most),
            Limit::ValueMap(values) => values.iter().any(|one| one == value),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::MinLen(least) => write!(f, "MinLen({least})"),
            Limit::MaxLen(most) => write!(f, "MaxLen({most})"),
            Limit::MinValue(least) => write!(f, "MinValue({least})"),
            Limit::MaxValue(most) => write!(f, "MaxValue({most})"),
            Limit::ValueMap(_) => f.write_str("ValueMap"),
        }
    }
}

/// The qualifiers of a property of the type `kind`; in the error, what is wrong with them.
pub(super) fn read(text: &str, kind: &str) -> Result<Vec<Limit>, String> {
    let (_, words) = all_consuming(delimited(multispace0, many0(terminated(qualifier, gap)), multispace0))
        .parse(text)
        .map_err(|_| format!("{text:?} is not as in MinLen(1) MaxLen(64) or ValueMap{{\"a\",\"b\"}}"))?;
    if words.is_empty() {
        return Err("is empty".into());
    }
    let limits = words.into_iter().map(|word| limit(word, kind)).collect::<Result<Vec<_>, _>>()?;
    contradiction(&limits).map_or(Ok(limits), Err)
}

/// A name with what it holds: one number, or the values of a map.
type Word<'a> = (&'a str, Vec<String>);

/// `MinLen(1)` or `ValueMap{"a", "b"}`.
fn qualifier(input: &str) -> IResult<&str, Word<'_>> {
    let (input, name) = alpha1(input)?;
    let number = || recognize(pair(opt(char('-')), take_while1(|c: char| c.is_ascii_digit() || c == '.')));
    let one = delimited(char('('), number().map(|number: &str| vec![number.to_owned()]), char(')'));
    let value = alt((quoted, number().map(str::to_owned)));
    let comma = delimited(multispace0, char(','), multispace0);
    let open = (char('{'), multispace0);
    let map = delimited(open, separated_list1(comma, value), (multispace0, char('}')));
    alt((one, map)).map(|values| (name, values)).parse(input)
}

/// A value in quotes, with `\"` for a quote and `\\` for a backslash.
fn quoted(input: &str) -> IResult<&str, String> {
    let plain = take_while1(|c| c != '"' && c != '\\').map(str::to_owned);
    let escaped = alt((tag("\\\""), tag("\\\\"))).map(|pair: &str| pair.chars().skip(1).collect());
    delimited(char('"'), many0(alt((plain, escaped))).map(|parts: Vec<String>| parts.concat()), char('"')).parse(input)
}

/// Between two qualifiers is space, or a comma.
fn gap(input: &str) -> IResult<&str, &str> {
    recognize((multispace0, opt(char(',')), multispace0)).parse(input)
}

/// What a word restricts, where it can restrict values of the type `kind`.
fn limit((name, values): Word<'_>, kind: &str) -> Result<Limit, String> {
    let of_numbers = !matches!(kind, "string" | "boolean");
    let wrong = |kinds: &str| Err(format!("{name} is for {kinds}, not for values of the type {kind}"));
    let number = || values.first().filter(|_| values.len() == 1).ok_or_else(|| format!("{name} holds one number"));
    let length = || number()?.parse().map_err(|_| format!("{name} holds a number of characters"));
    let bound = || number()?.parse().map_err(|_| format!("{name} holds a number"));
    match name {
        "MinLen" | "MaxLen" if kind != "string" => wrong("strings"),
        "MinValue" | "MaxValue" if !of_numbers => wrong("numbers"),
        "MinLen" => Ok(Limit::MinLen(length()?)),
        "MaxLen" => Ok(Limit::MaxLen(length()?)),
        "MinValue" => Ok(Limit::MinValue(bound()?)),
        "MaxValue" => Ok(Limit::MaxValue(bound()?)),
        "ValueMap" if kind == "boolean" => wrong("strings and numbers"),
        "ValueMap" => Ok(Limit::ValueMap(values)),
        _ => Err(format!("there is no qualifier {name} (MinLen, MaxLen, MinValue, MaxValue, ValueMap)")),
    }
}

/// Bounds between which nothing is.
fn contradiction(limits: &[Limit]) -> Option<String> {
    let least = limits.iter().find_map(|limit| if let Limit::MinLen(least) = limit { Some(*least) } else { None });
    let most = limits.iter().find_map(|limit| if let Limit::MaxLen(most) = limit { Some(*most) } else { None });
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Some("nothing is both that long and that short".into());
    }
    let least = limits.iter().find_map(|limit| if let Limit::MinValue(least) = limit { Some(*least) } else { None });
    let most = limits.iter().find_map(|limit| if let Limit::MaxValue(most) = limit { Some(*most) } else { None });
    least.zip(most).filter(|(least, most)| least > most).map(|_| "no number is both that large and that small".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exports_of_vmware_s_products_hold_is_read() {
        assert_eq!(read("MinLen(1) MaxLen(64)", "string").unwrap(), [Limit::MinLen(1), Limit::MaxLen(64)]);
        assert_eq!(read("MinLen(15),MaxLen(65535)", "string").unwrap(), [Limit::MinLen(15), Limit::MaxLen(65_535)]);
        assert_eq!(read("MinValue(1.0) MaxValue(10.67)", "real32").unwrap().len(), 2);
        assert_eq!(
            read("ValueMap{1, 2, 3, 5}", "uint8").unwrap(),
            [Limit::ValueMap(["1", "2", "3", "5"].map(String::from).into())]
        );
        let words = read(r#"ValueMap{"a", "b\"c"}"#, "string").unwrap();
        assert_eq!(words, [Limit::ValueMap(["a", "b\"c"].map(String::from).into())]);
    }

    #[test]
    fn what_is_no_qualifier_is_told() {
        for (text, kind) in [
            ("", "string"),
            ("MinLen", "string"),
            ("MinLen(x)", "string"),
            ("MinLen(-1)", "string"),
            ("MinLen{1,2}", "string"),
            ("MinLen(3) MaxLen(2)", "string"),
            ("MinValue(3) MaxValue(2)", "uint8"),
            ("MinValue(1.2.3)", "uint8"),
            ("MinLen(1)", "uint8"),
            ("MinValue(1)", "string"),
            ("ValueMap{}", "string"),
            ("ValueMap{\"a}", "string"),
            ("Ip(Management)", "string"),
        ] {
            assert!(read(text, kind).is_err(), "{text}");
        }
    }
}
