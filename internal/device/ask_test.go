package device

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsync/zsync/security"
)

func TestAQuestionThatNobodyComesToEndsWithASentenceAndIsNotAskedLater(t *testing.T) {
	_ = inBubble(t, func(l *loop, _ *clockwork) {
		l.name = "this device"
		hangs := make(chan struct{})
		go l.call(func() { <-hangs })
		synctest.Wait()
		asked, began := false, time.Now()
		_, err := ask(l, answerTime, func() error { asked = true; return nil })
		var busy *Busy
		if !errors.As(err, &busy) || busy.Begun || time.Since(began) != answerTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if !strings.HasPrefix(err.Error(), "this device has been busy for 30s") {
			t.Error(err)
		}
		close(hangs)
		synctest.Wait()
		if asked {
			t.Error("it was asked after its asker had gone")
		}
	})
}

func TestAnOrderThatHangsWhileItIsCarriedOutIsNotSaidToBeUndone(t *testing.T) {
	_ = inBubble(t, func(l *loop, _ *clockwork) {
		hangs := make(chan struct{})
		_, err := ask(l, answerTime, func() error { <-hangs; return nil })
		var busy *Busy
		if !errors.As(err, &busy) || !busy.Begun {
			t.Error(err)
		}
		close(hangs)
		synctest.Wait()
	})
}

func TestAFolderThatHangsIsNamedInTheStatusAndTheOthersAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := security.GenerateKeys(fixedRandom("laptop"))
		must(t, err)
		r := runningWith("Photos")
		r.cfg.Keys, r.home, r.link = keys, newLoop(nil, nil, nil), newLoop(nil, nil, nil)
		close(r.home.done) // they answer at once
		close(r.link.done)
		began := time.Now()
		s, err := r.Snapshot()
		if err != nil || len(s.Halted) != 1 || s.Halted[0].Label != "Photos" || !strings.Contains(s.Halted[0].Why, "busy") {
			t.Errorf("%+v, %v", s, err)
		}
		if waited := time.Since(began); waited != statusTime {
			t.Errorf("after %v", waited)
		}
		r.home = newLoop(nil, nil, nil)
		if _, err := r.Snapshot(); err == nil {
			t.Error("a device that hangs as a whole has a status")
		}
	})
}

func TestQuestionsThatWereGivenUpDoNotPileUp(t *testing.T) {
	_ = inBubble(t, func(l *loop, _ *clockwork) {
		hangs := make(chan struct{})
		go l.call(func() { <-hangs })
		synctest.Wait()
		for range 100 {
			_, _ = ask(l, answerTime, func() error { return nil })
		}
		l.mutex.Lock()
		if n := len(l.calls); n > 1 {
			t.Errorf("%d questions wait that nobody waits for", n)
		}
		l.mutex.Unlock()
		close(hangs)
		synctest.Wait()
	})
}
