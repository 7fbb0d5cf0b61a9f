;;; llmstep.el --- Next steps of Lean 4 proofs, each checked by Lean -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: languages, tools

;;; Commentary:

;; llmstep asks a language model for the next step at a goal of a Lean 4 proof, runs each step in Lean, and offers those
;; that work.  It is a language server, `llmstep lsp', which runs beside Lean's own with lsp-mode, or alone with eglot.
;;
;;     (require 'llmstep)
;;     (llmstep-setup)
;;
;; Then `M-x llmstep-suggest' at a goal asks for steps and inserts the one that is chosen.

;;; Code:

(require 'seq)
(require 'subr-x)

(declare-function eglot-current-server "ext:eglot")
(declare-function eglot--path-to-uri "ext:eglot")
(declare-function jsonrpc-async-request "jsonrpc")
(declare-function lsp-activate-on "ext:lsp-mode")
(declare-function lsp-find-workspace "ext:lsp-mode")
(declare-function lsp-register-client "ext:lsp-mode")
(declare-function lsp-request-async "ext:lsp-mode")
(declare-function lsp-stdio-connection "ext:lsp-mode")
(declare-function lsp--buffer-uri "ext:lsp-mode")
(declare-function make-lsp-client "ext:lsp-mode")
(defvar eglot-server-programs)
(defvar lsp--cur-workspace)

(defgroup llmstep nil
  "Next steps of Lean 4 proofs."
  :group 'tools
  :prefix "llmstep-")

(defcustom llmstep-command '("llmstep" "lsp")
  "Program and arguments that start the server."
  :type '(repeat string))

(defcustom llmstep-settings nil
  "Settings of the server, by their names without `llmstep.'.
As in (:model \"starter\" :count 24); they are read when the server starts."
  :type 'plist)

(defcustom llmstep-modes '(lean4-mode)
  "Major modes that eglot runs llmstep in."
  :type '(repeat symbol))

;;;###autoload
(defun llmstep-setup ()
  "Have `lsp-mode' run llmstep beside Lean's server, and eglot run it alone."
  (with-eval-after-load 'lsp-mode (llmstep--register-lsp-mode))
  (with-eval-after-load 'eglot
    (add-to-list 'eglot-server-programs
                 `(,llmstep-modes ,@llmstep-command :initializationOptions ,(lambda (_server) (llmstep--settings))))))

(defun llmstep--settings ()
  "What the server is told at its start."
  (or llmstep-settings (list :trigger "onDemand")))

(defun llmstep--register-lsp-mode ()
  "Make llmstep an add-on client of `lsp-mode'; Lean's client stays as it is."
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection (lambda () llmstep-command))
                    :activation-fn (lsp-activate-on "lean4" "lean")
                    :add-on? t
                    :server-id 'llmstep
                    :initialization-options #'llmstep--settings
                    :notification-handlers (llmstep--ignoring "llmstep/status" "llmstep/knownChanged"))))

(defun llmstep--ignoring (&rest methods)
  "A table of handlers that does nothing for METHODS."
  (let ((table (make-hash-table :test #'equal)))
    (dolist (method methods table)
      (puthash method #'ignore table))))

;;; Requests

(defun llmstep--get (object key)
  "What OBJECT, a plist or a hash table, has under KEY, a keyword.
It is nil for false and null."
  (let ((value (if (hash-table-p object) (gethash (substring (symbol-name key) 1) object) (plist-get object key))))
    (unless (memq value '(:json-false :null)) value)))

(defun llmstep--place (&rest more)
  "The place of point as the protocol has it, in UTF-16 units, beside MORE."
  (append (list :textDocument (llmstep--document)
                :position (list :line (1- (line-number-at-pos nil t))
                                :character (llmstep--units (buffer-substring-no-properties (line-beginning-position) (point)))))
          more))

(defun llmstep--units (text)
  "How many UTF-16 units TEXT has."
  (/ (length (encode-coding-string text 'utf-16le)) 2))

(defun llmstep--document ()
  "The file of this buffer as the protocol has it."
  (list :uri (if (llmstep--workspace) (lsp--buffer-uri) (eglot--path-to-uri buffer-file-name))))

(defun llmstep--workspace ()
  "The workspace of `lsp-mode' with llmstep for this buffer; nil without one."
  (and (bound-and-true-p lsp-mode) (lsp-find-workspace 'llmstep buffer-file-name)))

(defun llmstep--run (command argument done)
  "Run COMMAND of the server with ARGUMENT.
DONE is called with its answer, in this buffer."
  (let* ((buffer (current-buffer))
         (tick (buffer-chars-modified-tick))
         (params (append (list :command command) (when argument (list :arguments (vector argument)))))
         (use (lambda (answer)
                (when (buffer-live-p buffer)
                  (with-current-buffer buffer
                    (if (= tick (buffer-chars-modified-tick))
                        (funcall done answer)
                      (message "The file has changed.  Ask again."))))))
         ;; behind the filter of the process, so that the server is heard while the user chooses
         (answered (lambda (answer) (run-at-time 0 nil use answer)))
         (failed (lambda (problem) (message "llmstep: %s" (llmstep--problem problem)))))
    (cond ((llmstep--workspace)
           (let ((lsp--cur-workspace (llmstep--workspace)))
             (lsp-request-async "workspace/executeCommand" params answered :error-handler failed :mode 'detached)))
          ((and (fboundp 'eglot-current-server) (eglot-current-server))
           (jsonrpc-async-request (eglot-current-server) :workspace/executeCommand params
                                  :success-fn answered :error-fn failed :timeout nil))
          (t (user-error "The llmstep server does not run in this buffer; start lsp-mode or eglot")))))

(defun llmstep--problem (problem)
  "The message of PROBLEM, an error of the server, and its hint."
  (let ((hint (when-let ((data (llmstep--get problem :data)))
                (and (or (hash-table-p data) (consp data)) (llmstep--get data :hint)))))
    (string-trim (format "%s %s" (llmstep--get problem :message) (or hint "")))))

;;; Edits

(defun llmstep--position (at)
  "The position in this buffer of AT, a position of the protocol."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char (point-min))
      (forward-line (llmstep--get at :line))
      (let ((left (or (llmstep--get at :character) 0)))
        (while (and (> left 0) (not (eolp)))
          (setq left (- left (if (> (char-after) #xFFFF) 2 1)))
          (forward-char)))
      (point))))

(defun llmstep--insert (edits)
  "Make EDITS of the server, a list, in this buffer as one change.
Point is behind the last one then."
  (let* ((ranged (mapcar (lambda (edit)
                           (let ((range (llmstep--get edit :range)))
                             (list (copy-marker (llmstep--position (llmstep--get range :start)))
                                   (copy-marker (llmstep--position (llmstep--get range :end)))
                                   (llmstep--get edit :newText))))
                         edits)))
    (atomic-change-group
      (pcase-dolist (`(,start ,end ,text) ranged)
        (goto-char start)
        (delete-region start end)
        (insert text)))))

;;; Commands

(defun llmstep--title (step)
  "The title of STEP in a menu: ✓ closes the goal, → 2 goals are left."
  (let ((left (length (llmstep--get step :remainingGoals))))
    (concat (llmstep--get step :text)
            (pcase (llmstep--get step :verdict)
              ("closes" " ✓")
              ("progress" (format " → %d goal%s" left (if (= left 1) "" "s")))))))

;;;###autoload
(defun llmstep-suggest (&optional prefix)
  "Suggest how to go on at point, and insert the choice.
With a prefix argument read PREFIX, with which all of them begin."
  (interactive (list (when current-prefix-arg (read-string "How the step begins: "))))
  (message "llmstep asks for steps ...")
  (llmstep--run
   "llmstep.suggest" (apply #'llmstep--place (when prefix (list :prefix prefix)))
   (lambda (answer)
     (let* ((steps (append (llmstep--get answer :suggestions) nil))
            (choices (mapcar (lambda (step) (cons (llmstep--title step) step)) steps)))
       (if (null steps)
           (message "llmstep: %s" (llmstep--get answer :summary))
         (let* ((table (lambda (text predicate action)
                         (if (eq action 'metadata) ; best first, as they came
                             '(metadata (display-sort-function . identity) (cycle-sort-function . identity))
                           (complete-with-action action choices text predicate))))
                (title (completing-read "Step: " table nil t nil nil (caar choices))))
           (llmstep--insert (list (llmstep--get (cdr (assoc title choices)) :edit)))))))))

;;;###autoload
(defun llmstep-accept ()
  "Insert the best known step of the goal at point.
Where none is known, ask."
  (interactive)
  (llmstep--run "llmstep.accept" (llmstep--place)
                (lambda (shown)
                  (if shown (llmstep--insert (list (llmstep--get shown :edit))) (llmstep-suggest)))))

;;;###autoload
(defun llmstep-prove ()
  "Search a whole proof of the goal at point, and insert it."
  (interactive)
  (message "llmstep searches a proof ...")
  (llmstep--run "llmstep.prove" (llmstep--place)
                (lambda (answer)
                  (let ((partial (llmstep--get answer :partial))
                        (rounds (or (llmstep--get answer :rounds) 0)))
                    (cond (partial
                           (message "The proof is complete except for %d goals.  The code actions offer it."
                                    (length (llmstep--get partial :goals))))
                          ((llmstep--get answer :proof)
                           (llmstep--insert (list (llmstep--get answer :edit))))
                          ((> rounds 0) (message "No proof was found in %d rounds." rounds))
                          (t (message "No proof was found in %s expansions." (llmstep--get answer :expansions))))))))

;;;###autoload
(defun llmstep-fill ()
  "Search a proof of each sorry of the file, and insert those that were found."
  (interactive)
  (message "llmstep searches proofs ...")
  (llmstep--run "llmstep.fillSorries" (list :textDocument (llmstep--document))
                (lambda (answer)
                  (let ((proved (append (llmstep--get answer :proved) nil)))
                    (llmstep--insert (mapcar (lambda (each) (llmstep--get each :edit)) proved))
                    (message "%d of %d sorries have a proof." (length proved)
                             (+ (length proved) (length (llmstep--get answer :failed))))))))

;;;###autoload
(defun llmstep-select-model (name)
  "Use the model NAME, one of those on this machine."
  (interactive (list (read-string "Model: " nil nil "starter")))
  (llmstep--run "llmstep.selectModel" (list :model name :load t)
                (lambda (_) (message "llmstep now uses %s." name))))

;;;###autoload
(defun llmstep-stop ()
  "End what llmstep is running."
  (interactive)
  (llmstep--run "llmstep.stop" nil #'ignore))

(provide 'llmstep)
;;; llmstep.el ends here
