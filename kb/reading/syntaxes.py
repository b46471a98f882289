"""The languages that source code is written in: their files, their grammars, and what a definition is in each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Syntax:
    """`name` is what highlighters call the language, `title` what people do. `grammar` is a module and its function;
    without one the code is cut at blank lines.

    The rest are the grammar's names: for what is found by its own name (`definitions`); for those of them that hold
    others (`scopes`); for what gives a name to a function or a class (`bindings`); for what stands around one
    definition and has no name (`wrappers`); and for what stands around any number of them (`transparent`).
    """

    name: str
    title: str
    media_type: str
    extensions: tuple[str, ...]
    grammar: tuple[str, str] = ("", "")
    definitions: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    bindings: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    transparent: frozenset[str] = frozenset()


def _syntax(name: str, title: str, media_type: str, extensions: str, grammar: str = "", **nodes: str) -> Syntax:
    module, _colon, function = grammar.partition(":")
    sets = {kind: frozenset(names.split()) for kind, names in nodes.items()}
    return Syntax(name, title, media_type, tuple(extensions.split()), (module, function or "language"), **sets)


_JAVASCRIPT = {
    "definitions": "function_declaration generator_function_declaration method_definition enum_declaration "
    "interface_declaration type_alias_declaration",
    "scopes": "class_declaration abstract_class_declaration internal_module module",
    "bindings": "lexical_declaration variable_declaration field_definition public_field_definition",
    "wrappers": "export_statement ambient_declaration expression_statement",
}
_PREPROCESSOR = "preproc_ifdef preproc_if preproc_else preproc_elif linkage_specification declaration_list"
_CPP = {
    "definitions": "function_definition enum_specifier union_specifier type_definition alias_declaration",
    "scopes": "class_specifier struct_specifier namespace_definition",
    "wrappers": "template_declaration",
    "transparent": _PREPROCESSOR,
}

# fmt: off
SYNTAXES = (
    _syntax(
        "python", "Python", "text/x-python", ".py .pyi", "tree_sitter_python",
        definitions="function_definition", scopes="class_definition", wrappers="decorated_definition",
    ),
    _syntax(
        "java", "Java", "text/x-java", ".java", "tree_sitter_java",
        definitions="method_declaration constructor_declaration compact_constructor_declaration",
        scopes="class_declaration interface_declaration enum_declaration record_declaration "
        "annotation_type_declaration",
        transparent="enum_body_declarations",
    ),
    _syntax(
        "go", "Go", "text/x-go", ".go", "tree_sitter_go",
        definitions="function_declaration method_declaration type_declaration",
    ),
    _syntax(
        "javascript", "JavaScript", "text/javascript", ".js .mjs .cjs .jsx", "tree_sitter_javascript", **_JAVASCRIPT
    ),
    _syntax(
        "typescript", "TypeScript", "text/x-typescript", ".ts .mts .cts", "tree_sitter_typescript:language_typescript",
        **_JAVASCRIPT,
    ),
    _syntax("tsx", "TypeScript", "text/x-tsx", ".tsx", "tree_sitter_typescript:language_tsx", **_JAVASCRIPT),
    _syntax(
        "c", "C", "text/x-c", ".c", "tree_sitter_c",
        definitions="function_definition struct_specifier enum_specifier union_specifier type_definition",
        transparent=_PREPROCESSOR,
    ),
    # What a header declares may be of either language: the grammar of C++ reads both.
    _syntax("c", "C", "text/x-chdr", ".h", "tree_sitter_cpp", **_CPP),
    _syntax("cpp", "C++", "text/x-c++", ".cpp .cc .cxx .hpp .hh .hxx", "tree_sitter_cpp", **_CPP),
    _syntax(
        "csharp", "C#", "text/x-csharp", ".cs", "tree_sitter_c_sharp",
        definitions="method_declaration constructor_declaration destructor_declaration operator_declaration "
        "property_declaration indexer_declaration delegate_declaration enum_declaration local_function_statement",
        scopes="class_declaration struct_declaration interface_declaration record_declaration namespace_declaration",
        wrappers="global_statement",
        transparent="preproc_if preproc_else preproc_elif",
    ),
    _syntax(
        "rust", "Rust", "text/x-rust", ".rs", "tree_sitter_rust",
        definitions="function_item struct_item enum_item union_item macro_definition type_item",
        scopes="impl_item trait_item mod_item",
        transparent="foreign_mod_item",
    ),
    _syntax(
        "ruby", "Ruby", "text/x-ruby", ".rb", "tree_sitter_ruby",
        definitions="method singleton_method", scopes="class module",
    ),
    _syntax(
        "php", "PHP", "text/x-php", ".php", "tree_sitter_php:language_php",
        definitions="function_definition method_declaration",
        scopes="class_declaration interface_declaration trait_declaration enum_declaration namespace_definition",
    ),
    _syntax(
        "sql", "SQL", "application/sql", ".sql", "tree_sitter_sql", definitions="statement", transparent="transaction"
    ),
    _syntax("bash", "Shell", "text/x-sh", ".sh .bash", "tree_sitter_bash", definitions="function_definition"),
    _syntax(
        "kotlin", "Kotlin", "text/x-kotlin", ".kt .kts", "tree_sitter_kotlin",
        definitions="function_declaration secondary_constructor", scopes="class_declaration object_declaration",
    ),
    _syntax(
        "swift", "Swift", "text/x-swift", ".swift", "tree_sitter_swift",
        definitions="function_declaration init_declaration deinit_declaration subscript_declaration",
        scopes="class_declaration protocol_declaration",
    ),
    _syntax(
        "scala", "Scala", "text/x-scala", ".scala .sc", "tree_sitter_scala",
        definitions="function_definition given_definition",
        scopes="class_definition object_definition trait_definition enum_definition",
        transparent="package_clause",
    ),
    _syntax(
        "lua", "Lua", "text/x-lua", ".lua", "tree_sitter_lua",
        definitions="function_declaration", bindings="assignment_statement", wrappers="variable_declaration",
    ),
    _syntax("r", "R", "text/x-r", ".r"),
    _syntax("perl", "Perl", "text/x-perl", ".pl .pm"),
    _syntax("dart", "Dart", "text/x-dart", ".dart"),
    _syntax("powershell", "PowerShell", "text/x-powershell", ".ps1 .psm1"),
    _syntax("css", "CSS", "text/css", ".css .scss .less"),
    _syntax("json", "JSON", "application/json", ".json .jsonl"),
    _syntax("yaml", "YAML", "application/yaml", ".yaml .yml"),
    _syntax("toml", "TOML", "application/toml", ".toml"),
    _syntax("xml", "XML", "application/xml", ".xml"),
    _syntax("ini", "INI", "text/x-ini", ".ini .cfg .conf .properties"),
)
# fmt: on

BY_MEDIA_TYPE = {syntax.media_type: syntax for syntax in SYNTAXES}
EXTENSIONS = {extension: syntax.media_type for syntax in SYNTAXES for extension in syntax.extensions}


def title(media_type: str) -> str | None:
    """What people call the language that a media type is of; None where it is of none."""
    syntax = BY_MEDIA_TYPE.get(media_type)
    return syntax.title if syntax else None
