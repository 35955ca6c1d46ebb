package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
)

var sum = strings.Repeat("0a", 32)

func tokensFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestTokensAreReadAsTheyAreWritten(t *testing.T) {
	anna := config.Token{Name: "anna@shop", Role: "operator", SHA256: sum}
	till := config.Token{Name: "till", Role: "publisher", Sources: []string{"product-catalog-service", "payment-service"}, SHA256: strings.Repeat("0b", 32)}
	tokens, err := config.ReadTokens(tokensFile(t, "tokens:\n"+anna.Entry()+till.Entry()))
	require.NoError(t, err)
	require.Equal(t, []config.Token{anna, till}, tokens)
}

func TestMistakesInTheFileOfTokens(t *testing.T) {
	for text, want := range map[string]string{
		"":                       ": tokens: is no list of tokens; make one with: viscount token create NAME --role ROLE --file FILE",
		"tokens: []":             ":1: tokens: is no list of tokens; make one with: viscount token create NAME --role ROLE --file FILE",
		"users:\n - a":           ":1: users: unknown key; write tokens",
		"tokens: [a]":            ":1: tokens: is a single value; write name, role and sha256",
		"tokens:\n - {name: a, ": ":2: not valid YAML",
		"tokens:\n - {name: 'a b', role: root, sha256: secret, key: x}": `:2: key: unknown key; write name, role, sources or sha256
FILE:2: name: "a b" is no name; write 1 to 64 letters, digits, . _ @ or -
FILE:2: role: "root" is not a choice; write one of viewer, publisher, operator, admin
FILE:2: sha256: is no SHA-256 in hex; write the hash of the token, not the token; viscount token create makes both`,
		"tokens:\n - {name: a, sha256: " + sum + "}":                                                                               ":2: role: missing; give one of viewer, publisher, operator, admin",
		"tokens:\n - {name: a, role: publisher, sha256: " + sum + "}":                                                              ":2: sources: empty; list the source_service names that the publisher may publish for",
		"tokens:\n - {name: a, role: viewer, sources: [Me], sha256: " + sum + "}":                                                  `:2: sources: "Me" is no source_service; write a name such as product-catalog-service` + "\nFILE:2: sources: a viewer publishes nothing",
		"tokens:\n - {name: a, role: admin, sha256: " + sum + "}\n - {name: a, role: admin, sha256: " + strings.ToUpper(sum) + "}": `:3: name: "a" stands here a second time; give every token a name of its own` + "\nFILE:3: sha256: is another token's; make each token anew",
	} {
		file := tokensFile(t, text)
		_, err := config.ReadTokens(file)
		require.ErrorContains(t, err, file+strings.ReplaceAll(want, "FILE", file), text)
	}
	_, err := config.ReadTokens("absent")
	require.EqualError(t, err, "absent: cannot be read: no such file or directory; name a file of tokens")

	file := tokensFile(t, "tokens: []")
	_, err = config.Load(config.Source{Env: []string{"VISCOUNT_HTTP_AUTH_TOKENS_FILE=" + file}})
	require.ErrorContains(t, err, file+":1: tokens: is no list", "config check reports it too")
}
