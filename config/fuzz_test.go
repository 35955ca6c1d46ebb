package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
)

// FuzzLoad: whatever stands in a file, Load answers with a whole configuration or with problems that name the file.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"*.yaml", "testdata/mistakes/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, name := range files {
			data, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := config.Load(config.Source{File: write(t, string(data))})
		if err == nil {
			require.NotEmpty(t, loaded.Config.Services)
			require.Contains(t, config.Profiles(), loaded.Config.Profile)
			require.Positive(t, loaded.Config.DrainTimeout)
			return
		}
		var problems *config.Problems
		require.True(t, errors.As(err, &problems))
		require.NotEmpty(t, problems.List)
		for _, p := range problems.List {
			require.NotEmpty(t, p.Message)
			require.NotEmpty(t, p.File+p.Origin, "%s", p)
		}
	})
}
