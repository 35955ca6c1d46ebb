package events

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestWhatIsNotPrintableIsUnicodes(t *testing.T) {
	form := regexp.MustCompile(IDPattern())
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue // no character
		}
		hidden := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Z) && r != ' '
		if ok := Printable(r); ok != form.MatchString(string(r)) || (ok && hidden) || (!ok && unicode.IsPrint(r)) {
			t.Fatalf("%U: Printable says %t, the pattern %t, Unicode %t", r, ok, form.MatchString(string(r)), unicode.IsPrint(r))
		}
	}
}

// TestConstantsAreTheWordsOfVocabularies compares vocabulary.go with the tags: each word has a name in Go, and each name is a
// word.
func TestConstantsAreTheWordsOfVocabularies(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "vocabulary.go", nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, value := range spec.Values {
				if literal, ok := value.(*ast.BasicLit); ok && spec.Names[0].Name != "Passed" {
					name, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					names = append(names, name)
				}
			}
		}
		return true
	})
	var words []string
	for _, d := range Platform().All() {
		d.Shape.Walk(func(_ string, m *Member) { words = append(words, m.Vocabulary...) })
	}
	slices.Sort(names)
	slices.Sort(words)
	require.Equal(t, slices.Compact(words), slices.Compact(names))
}

func TestATagThatCannotBeIsRefused(t *testing.T) {
	_, err := NewCatalogue(Define[badRule]())
	require.EqualError(t, err, `contract bad.rule: field quantity: rule "id" does not fit an integer`)
	_, err = NewCatalogue(Define[badDeprecation]())
	require.ErrorContains(t, err, "field old: deprecated needs")
	require.True(t, Deprecation{Since: "1.2", Sunset: "2027-06-30", Use: "grams"}.valid())
	require.False(t, Deprecation{Since: "1.2", Sunset: "next summer", Use: "grams"}.valid())
}

type badRule struct {
	ID       string `json:"id" rule:"id"`
	Quantity int64  `json:"quantity" rule:"id"`
}

func (badRule) Contract() Contract {
	return Contract{Type: "bad.rule", Version: "1.0", Key: "id", Publisher: "bad-service"}
}
func (p badRule) Validate() error { return Check(p) }

type badDeprecation struct {
	ID  string `json:"id" rule:"id"`
	Old string `json:"old,omitzero" deprecated:"since=1.1"`
}

func (badDeprecation) Contract() Contract {
	return Contract{Type: "bad.deprecation", Version: "1.1", Key: "id", Publisher: "bad-service"}
}
func (p badDeprecation) Validate() error { return Check(p) }
