package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/handlers/procurement"
)

// restocking takes delivered goods into stock through inventory's API. It asks this process, which passes the request on to
// where inventory runs.
type restocking struct {
	url, token string
	client     *http.Client
}

const (
	keyLives       = 23 * time.Hour   // less than the API remembers an Idempotency-Key
	restockTimeout = 25 * time.Second // within an attempt
	maxRefusal     = 64 << 10
)

// newRestocking asks the server that listens at an address.
func newRestocking(listens net.Addr, token string) *restocking {
	base := "http://" + listens.String()
	if at, ok := listens.(*net.TCPAddr); ok && at.IP.IsUnspecified() { // any address of this machine
		base = "http://127.0.0.1:" + strconv.Itoa(at.Port)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second} // no proxy: it is this process
	return &restocking{url: base + "/api/v1/inventory/adjust", token: token, client: &http.Client{Transport: transport, Timeout: restockTimeout}}
}

// Restock implements procurement.Inventory.
func (r *restocking) Restock(ctx context.Context, d procurement.Delivery) (procurement.Answer, error) {
	if time.Since(d.At) > keyLives { // inventory may have forgotten the key of an attempt whose answer was lost
		return procurement.Answer{Refused: fmt.Sprintf("it gave no answer for %s; see GET /api/v1/audit?reference_number=%s for whether the goods are in stock: cancel the purchase order if they are, else receive it again", keyLives, d.PurchaseOrderID)}, nil
	}
	body, err := json.Marshal(map[string]any{
		"product_id": d.ProductID, "location_id": d.LocationID, "change": d.Quantity, "adjustment_type": "restock",
		"reason": "purchase order received", "reference_number": d.PurchaseOrderID,
	}, json.Deterministic(true)) // the same bytes for the same key
	if err != nil {
		return procurement.Answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return procurement.Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", d.Key)
	request.Header.Set("X-Correlation-ID", d.CorrelationID)
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return procurement.Answer{}, fmt.Errorf("asking inventory to take %s in: %w", d.PurchaseOrderID, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if err != nil {
		return procurement.Answer{}, fmt.Errorf("reading inventory's answer: %w", err)
	}
	return answerOf(response.StatusCode, raw)
}

// answerOf tells a refusal of the delivery from what may pass: a server that is busy, away, or not ours.
func answerOf(status int, raw []byte) (procurement.Answer, error) {
	if status == http.StatusOK {
		return procurement.Answer{}, nil
	}
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &problem) != nil || problem.Code == "" {
		problem.Code, problem.Detail = "no problem+json", fmt.Sprintf("%.100s", raw)
	}
	switch status {
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		return procurement.Answer{Refused: problem.Detail}, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return procurement.Answer{Refused: problem.Detail + " (procurement.token: a token with the role operator)"}, nil
	}
	return procurement.Answer{}, fmt.Errorf("inventory answered %d %s: %s", status, problem.Code, problem.Detail)
}
