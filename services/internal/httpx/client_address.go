package httpx

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// HeaderForwardedFor names the client that a proxy sends a request for.
const HeaderForwardedFor = "X-Forwarded-For"

// PeerAddress returns the IP address that the request which ctx belongs to came from, or
// "" if it is not known. Forward it to the next service in [HeaderForwardedFor].
func PeerAddress(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.peer
	}
	return ""
}

// ClientAddress returns the IP address of the client, as the nearest proxy saw it, or that
// of the peer if no proxy says. It is "" if neither is an address. Only a service that
// nobody but its proxy reaches can believe it.
func ClientAddress(r *http.Request) string {
	if all := r.Header.Values(HeaderForwardedFor); len(all) > 0 {
		last := all[len(all)-1]
		return address(last[strings.LastIndexByte(last, ',')+1:])
	}
	return peerOf(r)
}

// peerOf returns the IP address that r came from, without its port.
func peerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return address(host)
}

// address returns text if it is an IP address, and "" otherwise.
func address(text string) string {
	ip, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return ""
	}
	return ip.String()
}
