;;; lsp-mode.el --- lsp-mode: Lean's server, and llmstep as an add-on -*- lexical-binding: t -*-

(require 'lsp-mode)
(setq lsp-auto-guess-root t
      lsp-enable-file-watchers nil
      lsp-enable-suggest-server-download nil
      lsp-response-timeout 120
      lsp-restart 'ignore)
(unless (featurep 'lean4-lsp)
  (load t/lean4-lsp nil t))

(find-file (getenv "FILE"))
(lsp-workspace-folders-add (directory-file-name default-directory))
(lsp)
(let ((servers (lambda () (mapcar #'lsp--workspace-server-id (lsp-workspaces)))))
  (t/await "both servers"
           (lambda ()
             (and (= 2 (length (lsp-workspaces)))
                  (cl-every (lambda (each) (eq 'initialized (lsp--workspace-status each))) (lsp-workspaces)))))
  (t/note "servers" (vconcat (sort (mapcar #'symbol-name (funcall servers)) #'string<))))
(t/place "sorry")

(defun t/actions ()
  "The code actions of llmstep at point."
  (cl-remove-if-not (lambda (each) (t/mine each)) (append (lsp-code-actions-at-point) nil)))

(defun t/mine (action)
  "Whether ACTION is of llmstep, which gives all of its actions a verdict or a command."
  (or (t/get action :data) (string-prefix-p "llmstep: " (t/get action :title))))

(t/note "offered" (t/titles (t/actions)))
(lsp-execute-code-action (cl-find "llmstep: suggest the next step" (t/actions) :key (lambda (a) (t/get a :title)) :test #'equal))
(let ((known (t/await "a step that closes the goal"
                      (lambda ()
                        (let ((actions (t/actions)))
                          (and (string-suffix-p "✓" (t/get (car actions) :title)) actions))))))
  (t/note "known" (t/titles known))
  (lsp-execute-code-action (car known)))
(t/note "by_menu" (buffer-string))
(t/commands)
(t/finish)
(mapc #'lsp-workspace-shutdown (lsp-workspaces))
(t/await "the end of both" (lambda () (null (lsp-workspaces))))
;;; lsp-mode.el ends here
