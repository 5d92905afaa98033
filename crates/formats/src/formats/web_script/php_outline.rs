//! PHP in outline: which files it includes, and which of a site's and of PHP's own functions it calls.

use super::php_fold::{self, Constants};
use super::php_tokens::{Kind, Token, tokens};
use super::php_words::{decodes, is_request, runs};
use super::{find, line_at};
use calma_record::Text;
use std::collections::BTreeMap;

/// What a script does that matters in a file that a site runs by itself, or that stands among uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// It runs text as a program or as a command.
    Runs,
    /// It decodes hidden text.
    Decodes,
    /// It asks another machine.
    Fetches,
    /// It takes what a request says.
    TakesInput,
    /// It takes an uploaded file.
    TakesUpload,
    /// It writes or moves files.
    Writes,
    /// It sends mail.
    Mails,
    /// It makes an account of the site.
    MakesAccount,
    /// It names the site's highest role.
    Administrator,
    /// It signs somebody in without a password.
    SignsIn,
    /// It checks a password, a digest or a signature.
    Checks,
    /// It takes accounts or plugins out of the site's lists.
    Hides,
    /// It hangs on the site's sign-in.
    WatchesLogin,
    /// It handles a password of the sign-in.
    Password,
    /// It calls functions through a variable.
    CallsVariable,
    /// It shows the settings of PHP.
    ShowsSettings,
    /// It calls any other function.
    Calls,
}

impl Act {
    /// All acts.
    pub const ALL: [Self; 17] = [
        Self::Runs,
        Self::Decodes,
        Self::Fetches,
        Self::TakesInput,
        Self::TakesUpload,
        Self::Writes,
        Self::Mails,
        Self::MakesAccount,
        Self::Administrator,
        Self::SignsIn,
        Self::Checks,
        Self::Hides,
        Self::WatchesLogin,
        Self::Password,
        Self::CallsVariable,
        Self::ShowsSettings,
        Self::Calls,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Decodes => "decodes",
            Self::Fetches => "fetches",
            Self::TakesInput => "takes-input",
            Self::TakesUpload => "takes-upload",
            Self::Writes => "writes",
            Self::Mails => "mails",
            Self::MakesAccount => "makes-account",
            Self::Administrator => "administrator",
            Self::SignsIn => "signs-in",
            Self::Checks => "checks",
            Self::Hides => "hides",
            Self::WatchesLogin => "watches-login",
            Self::Password => "password",
            Self::CallsVariable => "calls-variable",
            Self::ShowsSettings => "shows-settings",
            Self::Calls => "calls",
        }
    }
}

/// What the path of an include is meant from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// It is written whole, or meant from the script's folder.
    Here,
    /// The folder of the site (`ABSPATH` of WordPress, `JPATH_BASE` of Joomla, …).
    Site,
    /// The folder of what is added to the site (`WP_CONTENT_DIR`).
    Content,
    /// It can not be told from the text.
    Unknown,
}

/// A file that a script includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Line, from 1.
    pub line: u32,
    /// What the path is meant from.
    pub base: Base,
    /// The path, as far as it is constant.
    pub path: Text,
    /// Whether the path was put together so that it can not be searched for.
    pub hidden: bool,
}

/// A script in outline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What it does, with the first line of each.
    pub acts: BTreeMap<Act, u32>,
    /// Files it includes.
    pub includes: Vec<Include>,
    /// Whether there is PHP in it that gets further than its first statement.
    pub does_something: bool,
}

/// Includes kept of one file.
const MOST: usize = 200;

/// Reads a script in outline.
pub fn outline(text: &[u8]) -> Outline {
    let mut outline = Outline::default();
    if find(text, b"<?").is_none() {
        return outline;
    }
    let tokens = tokens(text);
    let word =
        |at: usize| tokens.get(at).map(|token| token.of(text).to_ascii_lowercase()).unwrap_or_default();
    let mark = |at: usize, mark: u8| tokens.get(at).is_some_and(|token| token.is(mark));
    // A first statement that ends the script leaves what follows as mere data.
    let first = tokens.iter().position(|token| !token.is(b';')).unwrap_or(0);
    if tokens.is_empty() || matches!(word(first).as_slice(), b"exit" | b"die" | b"__halt_compiler") {
        return outline;
    }
    for (at, token) in tokens.iter().enumerate() {
        let mut add = |act: Act| {
            outline.acts.entry(act).or_insert_with(|| line_at(text, token.at()));
        };
        match token.kind {
            Kind::Variable => {
                let name = token.of(text);
                if is_request(name) {
                    add(Act::TakesInput);
                } else if name == b"_FILES" {
                    add(Act::TakesUpload);
                } else if mark(at + 1, b'(') {
                    add(Act::CallsVariable);
                } else if matches!(name, b"password" | b"pwd" | b"pass" | b"user_pass") {
                    add(Act::Password);
                }
            }
            Kind::Backtick => add(Act::Runs),
            Kind::Single | Kind::Double => literal(token.of(text)).into_iter().for_each(add),
            Kind::Name => {
                let name = word(at);
                if matches!(name.as_slice(), b"include" | b"include_once" | b"require" | b"require_once") {
                    if outline.includes.len() < MOST {
                        outline.includes.extend(include(text, &tokens, at));
                    }
                    continue;
                }
                let member = at > 0
                    && (mark(at - 1, b'>')
                        || mark(at - 1, b':')
                        || matches!(word(at - 1).as_slice(), b"function" | b"new"));
                if mark(at + 1, b'(') && name == b"set_role" {
                    add(Act::MakesAccount);
                }
                if mark(at + 1, b'(') && !member {
                    call(&name).into_iter().for_each(add);
                }
            }
            _ => {}
        }
    }
    outline.does_something = !outline.acts.is_empty() || !outline.includes.is_empty();
    outline
}

/// What a call does; `None` for those that do nothing worth a word.
fn call(name: &[u8]) -> Option<Act> {
    let act = match name {
        b"define"
        | b"defined"
        | b"exit"
        | b"die"
        | b"header"
        | b"http_response_code"
        | b"array"
        | b"if"
        | b"elseif"
        | b"isset"
        | b"function"
        | b"fn"
        | b"return"
        | b"echo"
        | b"print"
        | b"while"
        | b"for"
        | b"foreach"
        | b"switch"
        | b"catch"
        | b"list"
        | b"empty"
        | b"declare"
        | b"and"
        | b"or"
        | b"class_exists"
        | b"function_exists"
        | b"status_header"
        | b"nocache_headers"
        | b"dirname" => return None,
        _ if runs(name).is_some() => Act::Runs,
        b"create_function" => Act::Runs,
        b"wp_remote_get"
        | b"wp_remote_post"
        | b"wp_remote_request"
        | b"wp_safe_remote_get"
        | b"curl_exec"
        | b"curl_multi_exec"
        | b"fsockopen"
        | b"pfsockopen"
        | b"stream_socket_client"
        | b"download_url" => Act::Fetches,
        b"file_put_contents" | b"fwrite" | b"fputs" | b"copy" | b"rename" | b"unlink" | b"symlink"
        | b"chmod" | b"touch" => Act::Writes,
        b"move_uploaded_file" => Act::TakesUpload,
        b"mail" | b"wp_mail" | b"imap_mail" => Act::Mails,
        b"wp_insert_user" | b"wp_create_user" | b"wpmu_create_user" | b"grant_super_admin"
        | b"register_new_user" => Act::MakesAccount,
        b"wp_set_auth_cookie" | b"wp_set_current_user" | b"user_login_finalize" | b"complete_user_login" => {
            Act::SignsIn
        }
        b"hash_equals"
        | b"wp_verify_nonce"
        | b"openssl_verify"
        | b"password_verify"
        | b"wp_check_password"
        | b"check_admin_referer"
        | b"current_user_can"
        | b"is_user_logged_in"
        | b"sodium_crypto_sign_verify_detached" => Act::Checks,
        b"phpinfo" => Act::ShowsSettings,
        b"call_user_func" | b"call_user_func_array" => Act::CallsVariable,
        _ if decodes(name) && name != b"strrev" => Act::Decodes,
        _ => Act::Calls,
    };
    Some(act)
}

/// What a text in the script tells.
fn literal(text: &[u8]) -> Option<Act> {
    match text {
        b"administrator" | b"super_admin" | b"Super Users" => Some(Act::Administrator),
        b"pre_user_query"
        | b"pre_get_users"
        | b"views_users"
        | b"users_list_table_query_args"
        | b"all_plugins"
        | b"pre_count_users" => Some(Act::Hides),
        b"wp_login"
        | b"wp_authenticate"
        | b"authenticate"
        | b"wp_authenticate_user"
        | b"login_form"
        | b"onUserAuthenticate"
        | b"wp_signon" => Some(Act::WatchesLogin),
        b"pwd" | b"user_pass" | b"user_password" => Some(Act::Password),
        b"php://input" => Some(Act::TakesInput),
        _ => None,
    }
}

/// The file that the include at `at` names.
fn include(text: &[u8], tokens: &[Token], at: usize) -> Option<Include> {
    let line = line_at(text, tokens.get(at)?.at());
    let rest: Vec<Token> =
        tokens.get(at + 1..)?.iter().take(60).take_while(|token| !token.is(b';')).copied().collect();
    let (mut base, mut begins) = (Base::Here, 0);
    // A constant or a folder's function in front, with a dot behind it.
    let dot = rest.iter().position(|token| token.is(b'.'));
    let head: Vec<Vec<u8>> = rest
        .iter()
        .take(dot.unwrap_or(0))
        .filter(|token| token.kind == Kind::Name)
        .map(|token| token.of(text).to_ascii_lowercase())
        .collect();
    let variable = rest.iter().take(dot.unwrap_or(rest.len())).any(|token| token.kind == Kind::Variable);
    if variable {
        base = Base::Unknown;
        begins = dot.map_or(rest.len(), |dot| dot + 1);
    } else if let (Some(dot), Some(first)) = (dot, head.first()) {
        let here = head.iter().any(|name| matches!(name.as_slice(), b"__dir__" | b"__file__"));
        base = match first.as_slice() {
            _ if here
                && rest
                    .iter()
                    .take(dot)
                    .filter(|token| token.of(text).eq_ignore_ascii_case(b"dirname"))
                    .count()
                    <= 1 =>
            {
                Base::Here
            }
            b"abspath" | b"jpath_base" | b"jpath_root" | b"drupal_root" | b"base_path" | b"bp" => Base::Site,
            b"wp_content_dir" => Base::Content,
            name if php_fold::is_text_function(name) => Base::Here,
            _ => Base::Unknown,
        };
        if !php_fold::is_text_function(first) {
            begins = dot + 1;
        }
    } else if rest.iter().any(|token| {
        token.kind == Kind::Name && !php_fold::is_text_function(&token.of(text).to_ascii_lowercase())
    }) {
        base = Base::Unknown;
    }
    let tail = rest.get(begins..).unwrap_or_default();
    // The bracket around the whole, opened in front of the folder.
    let open = rest.first().is_some_and(|token| token.is(b'(')) && begins > 0;
    let tail = if open && tail.last().is_some_and(|token| token.is(b')')) {
        tail.get(..tail.len() - 1).unwrap_or_default()
    } else {
        tail
    };
    let folded = php_fold::fold(text, tail, &Constants::new());
    let (path, hidden) = match folded {
        Some(folded) => {
            let decoded = tail.iter().any(|token| token.kind == Kind::Name)
                || (folded.built
                    && tail
                        .iter()
                        .any(|token| token.kind == Kind::Double && token.of(text).contains(&b'\\')));
            (folded.text, decoded)
        }
        None => {
            let part = tail.iter().rev().find(|token| matches!(token.kind, Kind::Single | Kind::Double))?;
            base = Base::Unknown;
            (part.of(text).to_vec(), false)
        }
    };
    (!path.is_empty()).then(|| Include { line, base, path: path.into(), hidden })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(text: &str) -> Vec<&'static str> {
        outline(text.as_bytes()).acts.keys().map(|act| act.name()).collect()
    }

    #[test]
    fn includes_are_told_with_what_they_are_meant_from() {
        for (text, base, path, hidden) in [
            ("<?php include '/tmp/x.php';", Base::Here, "/tmp/x.php", false),
            ("<?php @include \"\\x2ftm\\x70/x\";", Base::Here, "/tmp/x", true),
            ("<?php require_once( ABSPATH . 'wp-settings.php' );", Base::Site, "wp-settings.php", false),
            ("<?php require __DIR__ . '/a/' . 'b.php';", Base::Here, "/a/b.php", false),
            ("<?php include(dirname(__FILE__) . '/x.ico');", Base::Here, "/x.ico", false),
            ("<?php include WP_CONTENT_DIR . '/uploads/a.png';", Base::Content, "/uploads/a.png", false),
            ("<?php include base64_decode('L3RtcC94');", Base::Here, "/tmp/x", true),
            ("<?php include $dir . '/x.php';", Base::Unknown, "/x.php", false),
        ] {
            let found = outline(text.as_bytes());
            let expected = Include { line: 1, base, path: path.into(), hidden };
            assert_eq!(found.includes, [expected], "{text}");
        }
    }

    #[test]
    fn silent_files_do_nothing() {
        for text in [
            "<?php // Silence is golden.",
            "<?php\nexit(0); ?>\nsystem($_GET['c']);",
            "<?php header('HTTP/1.0 403 Forbidden'); exit;",
            "<?php if (!defined('ABSPATH')) exit;",
            "<?php return array('a' => 1);",
            "plain",
        ] {
            assert!(!outline(text.as_bytes()).does_something, "{text}");
        }
        assert_eq!(
            acts("<?php $u = wp_insert_user(array('role' => 'administrator'));"),
            ["makes-account", "administrator"]
        );
        assert_eq!(acts("<?php add_action('pre_user_query', 'x');"), ["hides", "calls"]);
    }
}
