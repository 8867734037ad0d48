package query

import "net/http"

// Stores are where the telemetry is.
type Stores struct {
	Tempo Tempo
	Loki  Loki
	Mimir Mimir
}

// NewStores returns the stores at these base URLs, all asked through one client.
func NewStores(tempo, loki, mimir string, client *http.Client) Stores {
	return Stores{Tempo{URL: tempo, HTTP: client}, Loki{URL: loki, HTTP: client}, Mimir{URL: mimir, HTTP: client}}
}
