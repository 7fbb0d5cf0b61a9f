;;; lean4-lsp.el --- What lean4-mode tells lsp-mode -*- lexical-binding: t -*-

;; The language id `lean', and a client for the mode; the program is the tests' Lean.
(require 'lsp-mode)
(add-to-list 'lsp-language-id-configuration '(lean4-mode . "lean"))
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection (list (getenv "LEAN") "--server"))
                  :major-modes '(lean4-mode)
                  :server-id 'lean4-lsp))
(provide 'lean4-lsp)
;;; lean4-lsp.el ends here
