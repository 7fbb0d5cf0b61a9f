;;; eglot.el --- eglot: one server, which is llmstep -*- lexical-binding: t -*-

(require 'eglot)
(setq eglot-sync-connect 120)

(find-file (getenv "FILE"))
(let ((inhibit-message t))
  (apply #'eglot (eglot--guess-contact)))
(t/place "sorry")

(let ((offered (eglot-code-actions (point))))
  (t/note "offered" (t/titles offered)))
(condition-case problem
    (t/choosing "llmstep: suggest" (lambda () (eglot-code-actions (point) nil nil t)))
  (error (t/note "problem" (error-message-string problem))))
(let ((known (t/await "a step that closes the goal"
                      (lambda ()
                        (let ((actions (eglot-code-actions (point))))
                          (and (string-suffix-p "✓" (plist-get (car actions) :title)) actions))))))
  (t/note "known" (t/titles known))
  (t/choosing (plist-get (car known) :title) (lambda () (eglot-code-actions (point) nil nil t))))
(t/note "by_menu" (buffer-string))
(t/commands)
(t/finish)
(eglot-shutdown (eglot-current-server) nil 20)
;;; eglot.el ends here
