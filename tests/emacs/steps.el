;;; steps.el --- What the scripts share -*- lexical-binding: t -*-

(require 'cl-lib)
(require 'json)

(define-derived-mode lean4-mode prog-mode "Lean 4"
  "Stands in for the mode of lean4-mode.")
(add-to-list 'auto-mode-alist '("\\.lean\\'" . lean4-mode))

(defvar t/record nil "What the script saw.")

(defun t/note (name value)
  "Record VALUE under NAME."
  (push (cons name value) t/record))

(defun t/await (what condition)
  "Wait for WHAT: until CONDITION gives something; that."
  (let ((end (+ (float-time) 120)) value)
    (while (not (setq value (funcall condition)))
      (when (> (float-time) end)
        (message "Seen so far: %S" t/record)
        (error "Waited in vain for %s" what))
      (accept-process-output nil 0.05))
    value))

(defun t/place (mark)
  "Put point at the first MARK."
  (goto-char (point-min))
  (search-forward mark)
  (goto-char (match-beginning 0)))

(defun t/titles (actions)
  "The titles of ACTIONS, a list."
  (vconcat (mapcar (lambda (action) (t/get action :title)) actions)))

(defun t/get (object key)
  "What OBJECT has under KEY."
  (if (hash-table-p object) (gethash (substring (symbol-name key) 1) object) (plist-get object key)))

(defun t/choosing (title body)
  "Run BODY; whatever is asked in the minibuffer is answered with the choice that begins with TITLE."
  (cl-letf (((symbol-function 'completing-read)
             (lambda (_prompt choices &rest _)
               (let ((all (all-completions "" choices)))
                 (or (cl-find-if (lambda (each) (string-prefix-p title each)) all)
                     (error "No choice %S among %S" title all)))))
            (last-nonmenu-event ?\r)) ; not by mouse
    (funcall body)))

(defun t/finish ()
  "Write the record."
  (let ((coding-system-for-write 'utf-8))
    (write-region (json-encode t/record) nil (getenv "RECORD"))))

(defun t/changed (what body)
  "Run BODY at the goal of the test's own text, wait until it has changed the buffer; WHAT is now in it."
  (erase-buffer)
  (insert t/text)
  (t/place "sorry")
  (funcall body)
  (t/await what (lambda () (not (equal t/text (buffer-string)))))
  (buffer-string))

(defconst t/text "-- 𝔸 first
theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 -/ sorry

theorem u : True := trivial
" "A file in which positions are not what they seem.")

(defun t/commands ()
  "The commands of the package: steps with a prefix, the best known one, and a whole proof, which is saved."
  (cl-letf (((symbol-function 'completing-read)
             (lambda (prompt table &rest _)
               (t/note "asked" prompt)
               (let ((all (all-completions "" table)))
                 (t/note "listed" (vconcat all))
                 (car all)))))
    (t/note "by_command" (t/changed "the chosen step" (lambda () (llmstep-suggest "exact"))))
    (t/note "accepted" (t/changed "the accepted step" #'llmstep-accept)))
  (t/note "text" (t/changed "the proof" #'llmstep-prove))
  (save-buffer))

;; lean4-mode may be loaded before the block, or behind it.
(defconst t/lean4-lsp (expand-file-name "lean4-lsp.el" (file-name-directory load-file-name)))
(when (getenv "LEAN4_MODE_FIRST")
  (load t/lean4-lsp nil t))
(load (getenv "BLOCK") nil t)
;;; steps.el ends here
