//! What PHP's own functions and variables mean for the flow of a request's input.

/// Variables that hold what the request says (language.variables.superglobals).
pub(super) fn is_request(name: &[u8]) -> bool {
    matches!(
        name,
        b"_GET"
            | b"_POST"
            | b"_REQUEST"
            | b"_COOKIE"
            | b"HTTP_RAW_POST_DATA"
            | b"HTTP_GET_VARS"
            | b"HTTP_POST_VARS"
    )
}

/// Keys of `$_SERVER` that the client chooses.
pub(super) fn is_request_key(key: &[u8]) -> bool {
    key.starts_with(b"HTTP_")
        || matches!(key, b"QUERY_STRING" | b"REQUEST_URI" | b"PATH_INFO" | b"PHP_AUTH_PW" | b"PHP_AUTH_USER")
}

/// What a function does with its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Runs it as PHP.
    Code,
    /// Runs it as a command of the system's shell.
    Command,
}

/// Functions that run what they are given.
pub(super) fn runs(name: &[u8]) -> Option<Use> {
    match name {
        b"eval" | b"assert" | b"create_function" => Some(Use::Code),
        b"system" | b"exec" | b"shell_exec" | b"passthru" | b"popen" | b"proc_open" | b"pcntl_exec"
        | b"expect_popen" => Some(Use::Command),
        _ => None,
    }
}

/// Names that nobody puts together from pieces, unless they are not to be found.
pub(super) fn is_telling(name: &[u8]) -> bool {
    runs(name).is_some()
        || matches!(
            name,
            b"base64_decode"
                | b"gzinflate"
                | b"gzuncompress"
                | b"str_rot13"
                | b"call_user_func"
                | b"file_put_contents"
                | b"move_uploaded_file"
                | b"call_user_func_array"
                | b"fsockopen"
                | b"php://input"
        )
}

/// Functions that turn an encoded text back.
pub(super) fn decodes(name: &[u8]) -> bool {
    matches!(
        name,
        b"base64_decode"
            | b"gzinflate"
            | b"gzuncompress"
            | b"gzdecode"
            | b"str_rot13"
            | b"hex2bin"
            | b"convert_uudecode"
            | b"strrev"
            | b"openssl_decrypt"
            | b"mcrypt_decrypt"
            | b"bzdecompress"
            | b"zlib_decode"
            | b"sodium_crypto_secretbox_open"
    )
}

/// Functions whose value still is what they were given, as far as an intruder is concerned.
pub(super) fn passes_on(name: &[u8]) -> bool {
    decodes(name)
        || matches!(
            name,
            b"trim"
                | b"ltrim"
                | b"rtrim"
                | b"chop"
                | b"stripslashes"
                | b"addslashes"
                | b"urldecode"
                | b"rawurldecode"
                | b"substr"
                | b"str_replace"
                | b"str_ireplace"
                | b"strtr"
                | b"implode"
                | b"join"
                | b"explode"
                | b"end"
                | b"current"
                | b"reset"
                | b"array_shift"
                | b"array_pop"
                | b"array_merge"
                | b"array_values"
                | b"array_keys"
                | b"key"
                | b"next"
                | b"json_decode"
                | b"unserialize"
                | b"strtolower"
                | b"strtoupper"
                | b"sprintf"
                | b"strval"
                | b"array"
                | b"pos"
                | b"htmlspecialchars_decode"
                | b"html_entity_decode"
                | b"pack"
                | b"chunk_split"
                | b"str_split"
                | b"array_reverse"
                | b"file_get_contents"
                | b"stream_get_contents"
                | b"iconv"
                | b"mb_convert_encoding"
                | b"utf8_decode"
                | b"preg_replace"
                | b"vsprintf"
                | b"nl2br"
                | b"str_pad"
                | b"ucfirst"
                | b"lcfirst"
                | b"strstr"
                | b"array_map"
                | b"array_filter"
                | b"xor"
                | b"decrypt"
                | b"print"
                | b"escapeshellcmd_"
                | b"array_slice"
                | b"each"
                | b"base64_encode"
                | b"fopen"
        )
}

/// Functions that give the request's input when called.
pub(super) fn gives_request(name: &[u8]) -> bool {
    matches!(name, b"getallheaders" | b"apache_request_headers")
}

/// Which argument of a function is the name of a function to call.
pub(super) fn callback_argument(name: &[u8]) -> Option<usize> {
    match name {
        b"call_user_func"
        | b"call_user_func_array"
        | b"array_map"
        | b"forward_static_call"
        | b"register_shutdown_function"
        | b"register_tick_function"
        | b"forward_static_call_array"
        | b"reflectionfunction" => Some(0),
        b"array_filter"
        | b"array_walk"
        | b"array_walk_recursive"
        | b"usort"
        | b"uasort"
        | b"uksort"
        | b"iterator_apply"
        | b"preg_replace_callback"
        | b"array_reduce"
        | b"mb_ereg_replace_callback"
        | b"filter_var" => Some(1),
        b"array_udiff" | b"array_uintersect" | b"array_diff_ukey" | b"array_intersect_ukey" => Some(2),
        _ => None,
    }
}

/// Functions that open a connection.
pub(super) fn connects(name: &[u8]) -> bool {
    matches!(
        name,
        b"fsockopen" | b"pfsockopen" | b"stream_socket_client" | b"socket_connect" | b"stream_socket_server"
    )
}

/// Words that stand before a parenthesis and are no functions.
pub(super) fn is_control(name: &[u8]) -> bool {
    matches!(
        name,
        b"if"
            | b"elseif"
            | b"while"
            | b"for"
            | b"foreach"
            | b"switch"
            | b"return"
            | b"echo"
            | b"and"
            | b"or"
            | b"match"
            | b"catch"
            | b"list"
    )
}
