package events

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parcelV1, V2 and V3 are three major versions of an example's contract: a name, then two names, then also the weight's unit.
type parcelV1 struct {
	ParcelID string `json:"parcel_id" rule:"id"`
	Receiver string `json:"receiver" rule:"text"`
	Weight   int64  `json:"weight" rule:"positive" deprecated:"since=1.1 sunset=2027-06-30 use=grams"`
}

type parcelV2 struct {
	ParcelID  string `json:"parcel_id" rule:"id"`
	FirstName string `json:"first_name" rule:"text"`
	LastName  string `json:"last_name" rule:"text"`
	Weight    int64  `json:"weight" rule:"positive"`
}

type parcelV3 struct {
	ParcelID  string `json:"parcel_id" rule:"id"`
	FirstName string `json:"first_name" rule:"text"`
	LastName  string `json:"last_name" rule:"text"`
	Grams     int64  `json:"grams" rule:"positive"`
}

func parcel(version string) Contract {
	return Contract{Type: "parcel.sent", Version: version, Key: "parcel_id", Publisher: "shipping-service", Retention: Day, Purpose: "p", When: "w", Migration: "m"}
}

func (parcelV1) Contract() Contract { return parcel("1.1") }
func (parcelV2) Contract() Contract { return parcel("2.0") }
func (parcelV3) Contract() Contract { return parcel("3.0") }
func (p parcelV1) Validate() error  { return Check(p) }
func (p parcelV2) Validate() error  { return Check(p) }
func (p parcelV3) Validate() error  { return Check(p) }

func twoNames(p parcelV1) (parcelV2, error) {
	first, last, ok := strings.Cut(p.Receiver, " ")
	if !ok {
		return parcelV2{}, errors.New("a receiver of one word")
	}
	return parcelV2{ParcelID: p.ParcelID, FirstName: first, LastName: last, Weight: p.Weight}, nil
}

func inGrams(p parcelV2) (parcelV3, error) {
	return parcelV3{ParcelID: p.ParcelID, FirstName: p.FirstName, LastName: p.LastName, Grams: 1000 * p.Weight}, nil
}

func parcels(t *testing.T) *Catalogue {
	c, err := NewCatalogue(Define[parcelV1](), Define(From(twoNames)), Define(From(inGrams)))
	require.NoError(t, err)
	return c
}

func sent(version, data string) []byte {
	return []byte(`{"event_id":"550e8400-e29b-41d4-a716-446655440015","correlation_id":"c","timestamp":"2026-01-01T00:00:00Z","source_service":"shipping-service","event_version":"` + version + `","event_type":"parcel.sent","data":` + data + `}`)
}

func TestAnOldEventReachesAHandlerOfANewMajorUpgradedStepByStep(t *testing.T) {
	decoded, err := parcels(t).Decode(sent("1.0", `{"parcel_id":"p1","receiver":"Ada Lovelace","weight":2}`))
	require.NoError(t, err)
	require.Equal(t, "shipping.parcel.sent.v1", decoded.Definition.Contract.Topic())

	newest, err := As[parcelV3](decoded, 7, "")
	require.NoError(t, err)
	require.Equal(t, parcelV3{ParcelID: "p1", FirstName: "Ada", LastName: "Lovelace", Grams: 2000}, newest.Data)
	require.Equal(t, "1.0", newest.EventVersion, "the envelope says what came")
	middle, err := As[parcelV2](decoded, 7, "")
	require.NoError(t, err, "a handler names the major that it wants")
	require.Equal(t, "Lovelace", middle.Data.LastName)
	oldest, err := As[parcelV1](decoded, 7, "")
	require.NoError(t, err)
	require.Equal(t, "Ada Lovelace", oldest.Data.Receiver)
}

func TestANewEventDoesNotReachAHandlerOfAnOldMajor(t *testing.T) {
	decoded, err := parcels(t).Decode(sent("3.0", `{"parcel_id":"p1","first_name":"Ada","last_name":"Lovelace","grams":5}`))
	require.NoError(t, err)
	_, err = As[parcelV1](decoded, 7, "")
	require.ErrorContains(t, err, "a parcel.sent of version 3.0 is no events.parcelV1")
}

func TestAnUpcasterMayRefuseAnEvent(t *testing.T) {
	decoded, err := parcels(t).Decode(sent("1.0", `{"parcel_id":"p1","receiver":"Ada","weight":2}`))
	require.NoError(t, err)
	_, err = As[parcelV3](decoded, 7, "")
	require.EqualError(t, err, "upgrading a parcel.sent of version 1.0 to 2.0: a receiver of one word")
}

func TestEachMajorIsCheckedByItsOwnContract(t *testing.T) {
	for version, c := range map[string]struct {
		data, path string
		code       Code
	}{
		"1.9": {`{"parcel_id":"p1","first_name":"Ada","last_name":"L","weight":1}`, "/data/receiver", MissingField},
		"2.0": {`{"parcel_id":"p1","receiver":"Ada L","weight":1,"first_name":"Ada"}`, "/data/last_name", MissingField},
		"4.0": {`{"parcel_id":"p1","first_name":"Ada","last_name":"L","grams":1}`, "/event_version", UnsupportedVersion},
	} {
		_, err := parcels(t).Decode(sent(version, c.data))
		var bad *Invalid
		require.ErrorAs(t, err, &bad, version)
		require.Equal(t, c.code, bad.Problems[0].Code, version)
		require.Equal(t, c.path, bad.Problems[0].Path, version)
	}
}

func TestTheMajorIsFoundWhereverItStands(t *testing.T) {
	raw := strings.Replace(string(sent("2.0", `{"parcel_id":"p1","first_name":"Ada","last_name":"L","weight":1}`)), `"event_version":"2.0",`, "", 1)
	decoded, err := parcels(t).Decode([]byte(strings.TrimSuffix(raw, "}") + `,"event_version":"2.0"}`))
	require.NoError(t, err)
	require.IsType(t, parcelV2{}, decoded.Payload)
}

func TestAMajorVersionNeedsItsWayFromTheOneBefore(t *testing.T) {
	_, err := NewCatalogue(Define[parcelV1](), Define[parcelV2]())
	require.EqualError(t, err, "contract parcel.sent: major version 2 needs an upcaster from 1: events.Define(events.From(…))")
	_, err = NewCatalogue(Define[parcelV1](), Define(From(inGrams)))
	require.EqualError(t, err, "contract parcel.sent: major version 3 must come after 2")
	_, err = NewCatalogue(Define(From(twoNames)), Define[parcelV1]())
	require.EqualError(t, err, "contract parcel.sent: major version 1 must come after 0")
	earlier := parcels(t).Earlier(parcel("3.0"))
	require.Len(t, earlier, 2)
	require.Equal(t, "shipping.parcel.sent.v2", earlier[0].Topic())
}

func TestAMessageIsMaskedByItsOwnMajor(t *testing.T) {
	masked, _, err := parcels(t).Mask("", sent("1.0", `{"receiver":"Ada","grams":1}`))
	require.NoError(t, err)
	require.Contains(t, string(masked), `{"receiver":"Ada","grams":"[not in the contract]"}`)
}

func TestAnExampleIsOneOfItsOwnMajor(t *testing.T) {
	first, second := sent("1.0", `{"parcel_id":"p1","receiver":"Ada Lovelace","weight":2}`), sent("2.0", `{"parcel_id":"p1","first_name":"Ada","last_name":"L","weight":1}`)
	c, err := NewCatalogue(Define[parcelV1]().WithExamples(first), Define(From(twoNames)).WithExamples(second))
	require.NoError(t, err)
	require.Equal(t, [][]byte{first}, c.Majors("parcel.sent")[0].Examples())
	_, err = NewCatalogue(Define[parcelV1](), Define(From(twoNames)).WithExamples(first))
	require.EqualError(t, err, "contract parcel.sent: an example of version 2.0 is a parcel.sent of 1.0")
	_, err = NewCatalogue(Define[parcelV1]().WithExamples(sent("1.0", `{"parcel_id":"p1","receiver":"Ada"}`)))
	require.ErrorContains(t, err, "contract parcel.sent: an example of version 1.1: /data/weight")
}
