package control

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"time"

	"github.com/zsync/zsync/internal/device"
)

// takenTime is how long a device may take to say that it has a request: it says so
// before it looks at what is asked, so one that says nothing is stopped, or so full
// that it cannot take a connection.
const takenTime = 5 * time.Second

// ErrSilent is returned when a device runs for the home and does not take a request.
var ErrSilent = errors.New("the device of this home runs and does not answer: it may be stopped (Ctrl-Z), or may have too many files open")

// taken tells whoever asks that the request is here, before it is served.
func taken(serve http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProcessing)
		serve.ServeHTTP(w, r)
	})
}

// untilTaken returns a context for one request that ends with ErrSilent unless that is
// taken in time, and what ends it once the answer was read.
func untilTaken(ctx context.Context, most time.Duration) (watched context.Context, end context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(most, func() { cancel(ErrSilent) })
	watched = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			late.Stop()
			return nil
		},
	})
	return watched, func() {
		late.Stop()
		cancel(nil)
	}
}

// answer is the body of a response, with which the request ends.
type answer struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements [io.Closer].
func (a answer) Close() error {
	defer a.end()
	return a.ReadCloser.Close()
}

// fail says why something was not done; where a part of the device was only busy, so
// that nobody takes it for a refusal.
func fail(w http.ResponseWriter, err error, code int) {
	var busy *device.Busy
	if errors.As(err, &busy) {
		code = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), code)
}
