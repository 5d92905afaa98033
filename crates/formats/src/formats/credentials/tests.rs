//! Tests of this format.

use super::*;

fn names(text: &str) -> Vec<String> {
    scan(text.as_bytes()).iter().map(|hit| hit.name.to_string()).collect()
}

#[test]
fn names_of_secrets_are_found_in_every_syntax() {
    for (text, name) in [
        ("DB_PASSWORD=correct-horse\n", "DB_PASSWORD"),
        ("export AWS_SECRET_ACCESS_KEY='abcd/efgh'\n", "AWS_SECRET_ACCESS_KEY"),
        ("define( 'DB_PASSWORD', 'pa55 word' );", "DB_PASSWORD"),
        ("$cfg['blowfish_secret'] = 'x1y2z3';", "blowfish_secret"),
        ("spring.datasource.password: hunter2", "spring.datasource.password"),
        ("  \"clientSecret\": \"a1b2c3d4\",", "clientSecret"),
        ("SECRET_KEY = \"django-insecure-xyz\"", "SECRET_KEY"),
        ("        'PASSWORD': 'abcdef',", "PASSWORD"),
        ("<password>abc123</password>", "password"),
        ("requirepass foobared", "requirepass"),
        ("bindpw s3cret", "bindpw"),
        ("url=postgres://u:pw1234@db.example.org/x", "address of a database with its password"),
        ("mysql -u root -pabcdef1 shop", "mysql -p"),
        ("/usr/bin/sshpass -p abcdef1 ssh me@a", "sshpass -p"),
        ("PrivateKey = AAAABBBBCCCC=", "PrivateKey"),
        ("Environment=\"API_TOKEN=abcdefgh\"", "API_TOKEN"),
    ] {
        assert_eq!(names(text), [name], "{text}");
    }
}

#[test]
fn settings_without_a_secret_are_passed_over() {
    for text in [
        "password = ${DB_PASSWORD}",
        "password:",
        "PASS_MAX_DAYS 99999",
        "password requisite pam_deny.so",
        "# DB_PASSWORD=x1y2z3",
        "PasswordAuthentication no",
        "password_file = /etc/x/secret",
        "SECRET_KEY = os.environ['SECRET_KEY']",
        "'password' => env('DB_PASSWORD'),",
        "password: null",
        "passwd: files systemd",
        "define('DB_PASSWORD', 'password_here');",
        "token = <your-token>",
        "if ($password == '') {",
        "PWD=/root",
        "mysql -u root -p shop",
        "mysqldump -p$PASS shop",
        "https://example.org:8080/a@b",
    ] {
        assert!(names(text).is_empty(), "{text}: {:?}", names(text));
    }
}

#[test]
fn hosts_are_named_and_passwords_are_not() {
    let text = b"machine a.example.org login me password pw\nhttps://me:to@k@git.example.org:8443/x\n";
    assert_eq!(hosts(text), ["a.example.org", "git.example.org:8443"]);
}
