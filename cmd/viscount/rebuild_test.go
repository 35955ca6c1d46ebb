package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARebuildIsFollowedAndRefusedWithItsReason(t *testing.T) {
	a := serving(t, t.TempDir())
	response, err := http.Post(a.URL()+"/api/v1/products", "application/json", strings.NewReader(`{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)
	require.Eventually(t, func() bool {
		response, err := http.Get(a.URL() + "/api/v1/search?q=tea")
		require.NoError(t, err)
		defer response.Body.Close()
		var body bytes.Buffer
		_, err = body.ReadFrom(response.Body)
		require.NoError(t, err)
		return strings.Contains(body.String(), "prod_1")
	}, 20*time.Second, 5*time.Millisecond)

	var progress bytes.Buffer
	out, problem, code := runWith(t, "", &progress, "rebuild", "search", "--url", a.URL())
	require.Zero(t, code, problem)
	require.Contains(t, out, "search rebuilt from 1 events")
	require.Equal(t, "events 1/1\n", progress.String(), "without a terminal the progress is lines")

	_, problem, code = run(t, "", "rebuild", "audit", "--url", a.URL())
	require.Equal(t, exitUsage, code, fmt.Sprint(problem))
	require.Contains(t, problem, "audit cannot be rebuilt: ")
}
